"""The example project as a client meets it: a web server, a worker, a gateway, its database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "example_project"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[str]:
    """The address of the API, with the user ``billing``, whose password is ``secret``."""
    sys.path.insert(0, str(EXAMPLE))
    from processes import address, manage, sandbox_settings, start

    environment = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/shop.sqlite3",
        "DJANGO_LANGUAGE_CODE": "en",
        "DJANGO_DEBUG": "True",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DJANGO_SUPERUSER_PASSWORD": "secret",
        "MOBILON_SMS_EVENTS": "30d",
        "PYTHONPATH": str(ROOT),
    }
    with ExitStack() as stack:
        manage("migrate", "--verbosity", "0", environment=environment)
        login = ("--username", "billing", "--email", "billing@shop.example", "--noinput")
        manage("createsuperuser", *login, environment=environment)
        sandbox = stack.enter_context(start("sms_sandbox", "--port", "0", environment=environment))
        environment |= sandbox_settings(address(sandbox, "The sandbox"))
        loop = ("send_sms", "--loop", "--interval", "0.2")
        stack.enter_context(start(*loop, environment=environment, shown=True))
        options = ("127.0.0.1:0", "--noreload")
        server = stack.enter_context(start("runserver", *options, environment=environment))
        yield address(server, "The web server").rstrip("/")
