"""Schemathesis against a real server: no 5xx, and no answer that docs/openapi.yaml does not have.

``make schemathesis`` runs it. It takes about a minute, and no part of the suite waits for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db import connection

from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.models import SmsMessage, StoppedNumber, db_now
from django_mobilon_sms.outbox import stop
from tests.support.documents import DOCS
from tests.support.messages import asked_batch, write

pytestmark = [
    pytest.mark.skipif("ATTACK" not in os.environ, reason="only by `make schemathesis`"),
    pytest.mark.django_db(transaction=True),
]

SEED = os.environ.get("ATTACK", "") or "1"
#: What is typed as a number or a source is free text to a schema: not all of it is taken.
NOT_CHECKED = "positive_data_acceptance"
#: With ``on_error=skip`` a list with faults is taken: the answer names those items.
CONFIG = """
[[operations]]
include-path = "/sms/messages/many/"
checks.negative_data_rejection.enabled = false
"""


@pytest.fixture
def url(live_server: Any, settings: Any) -> str:
    """The server, without the rates that would refuse most of the requests."""
    cache.clear()
    settings.MOBILON_SMS_EVENTS = "30d"
    rates = {"mobilon_sms_create": None, "mobilon_sms_act": None}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    return str(live_server.url)


@pytest.fixture
def client() -> None:
    """A user with every permission of the app."""
    user = User.objects.create_user("billing", password="secret")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="mobilon_sms"))


@pytest.fixture
def _worker() -> Iterator[None]:
    """Messages go on while they are attacked: some become unknown, which may be sent again."""
    done = threading.Event()

    def work() -> None:
        try:
            while not done.wait(0.2):
                SmsMessage.objects.filter(status="pending", pk__iregex="[02468]$").hold(
                    ErrorCode.TIMEOUT
                )
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    done.set()
    thread.join()


def narrowed(folder: Path) -> Path:
    """The schema with numbers that are taken and with messages and numbers that exist.

    What is random would hardly ever be one, and not get behind the first refusal. Answers have
    today's fields and values only, so that no other goes unnoticed.
    """
    stopped = [f"+7902980{n:04}" for n in range(60)]
    stop(stopped)
    guids = [str(message.guid) for message in write(60)]
    SmsMessage.objects.filter(guid__in=guids[::3]).hold(ErrorCode.TIMEOUT)
    proved = {"gateway_id": "7", "accepted_at": db_now(), "batch": asked_batch()}
    SmsMessage.objects.filter(guid__in=guids[1::3]).change(status="accepted", **proved)
    known = {"guid": {"type": "string", "format": "uuid", "enum": guids}}
    schema = yaml.safe_load((DOCS / "openapi.yaml").read_text(encoding="utf-8"))
    for methods in schema["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["schema"] = known[parameter["name"]]
    shapes = schema["components"]["schemas"]
    number = {"type": "string", "pattern": r"^\+79[0-9]{9}$"}
    shapes["SmsNewMessage"]["properties"]["number"] = number
    shapes["SmsSearch"]["properties"]["number"] = number
    shapes["SmsSearch"]["properties"]["guids"]["items"] = known["guid"]
    for shape in shapes.values():
        if "properties" in shape:  # what answers may get one day, they do not have today
            shape["additionalProperties"] = False
        if "x-extensible-enum" in shape:
            shape["enum"] = shape.pop("x-extensible-enum")
    shapes["SmsNumbersToStop"]["properties"]["numbers"]["items"] = number
    shapes["SmsNumbers"]["properties"]["numbers"]["items"] = {"type": "string", "enum": stopped}
    path = folder / "openapi.yaml"
    path.write_text(yaml.safe_dump(schema, sort_keys=False), encoding="utf-8")
    return path


def attack(url: str, schema: Path, folder: Path, *options: str) -> None:
    """Run schemathesis, and show its summary."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "st"),
            *("--config-file", str(config), "run", str(schema), "--url", url, "--seed", SEED),
            *("--continue-on-failure", "--no-shrink"),
            *("--exclude-checks", NOT_CHECKED, "--suppress-health-check", "all"),
            *options,
        ],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    before, _, summary = done.stdout.partition("= SUMMARY =")
    print(summary.strip("=\n "))
    assert done.returncode == 0, f"{before}\n{done.stderr}"


@pytest.mark.usefixtures("client", "_worker")
def test_with_every_permission(url: str, tmp_path: Path) -> None:
    schema, login = narrowed(tmp_path), ("--auth", "billing:secret")
    # A number of requests, and no time: what they reach must not depend on the machine.
    count = ("--mode", "positive", "--phases", "fuzzing", "--max-examples", "20")
    attack(url, schema, tmp_path, *login, *count)
    reached = set(SmsMessage.objects.values_list("status", flat=True))
    assert reached >= {"pending", "unknown", "accepted", "cancelled"}
    assert SmsMessage.objects.filter(resends__gt=0).exists()
    assert StoppedNumber.objects.filter(number__startswith="+7902980").count() < 60
    attack(url, schema, tmp_path, *login, "--max-time", "30")


def test_without_login(url: str, tmp_path: Path) -> None:
    attack(url, DOCS / "openapi.yaml", tmp_path, "--max-time", "15")
    assert not SmsMessage.objects.exists()
