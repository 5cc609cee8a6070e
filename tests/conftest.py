"""Shared by all tests: a real gateway on a real port, and the worker as it is really run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from django.core.management import call_command
from django.utils import translation

from django_mobilon_sms.sandbox import Sandbox
from django_mobilon_sms.worker import heartbeats
from django_mobilon_sms.worker.statuses.queries import trouble
from tests.support.broken_replies import BROKEN_REPLIES


class Run(NamedTuple):
    """What one `manage.py send_sms` printed, and its exit code."""

    code: int
    output: str


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """A request in Russian leaves its thread in Russian, for the tests that follow too."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _no_heartbeat() -> None:
    """This process has written none: each test begins with an empty table."""
    heartbeats._written.clear()


@pytest.fixture
def sandbox(settings: Any) -> Iterator[Sandbox]:
    """A gateway on a free port, and the settings that lead to it."""
    with Sandbox(faults=BROKEN_REPLIES) as server:
        settings.MOBILON_SMS_BASE_URL = server.url
        yield server
    trouble.forget()  # of this gateway, so that the next test does not wait


@pytest.fixture
def worker() -> Callable[..., Run]:
    """Runs the command in this process, with the options given."""

    def run(*options: str) -> Run:
        output = StringIO()
        try:
            call_command("send_sms", *options, stdout=output, stderr=output)
        except SystemExit as error:
            return Run(int(error.code or 0), output.getvalue())
        return Run(0, output.getvalue())

    return run


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """An authority that is trusted, in place of the public ones."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    # No public authority would sign for a test, and the adapter has no option to trust another.
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(tmp_path / "authority.pem"))
    return authority
