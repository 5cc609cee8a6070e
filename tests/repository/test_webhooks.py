"""docs/howto/webhooks.rst: its sender and both of its receivers, at work with one another."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
from standardwebhooks.webhooks import Webhook
from werkzeug.serving import make_server

from django_mobilon_sms.models import GIVE_UP_AFTER, WebhookDelivery
from django_mobilon_sms.webhooks import retry_schedule
from django_mobilon_sms.webhooks.delivery import CONCURRENCY, TIMEOUT
from django_mobilon_sms.webhooks.signed_request import body_of
from tests.support.documents import DOCS, blocks
from tests.support.new_project import NewProject, file_of
from tests.support.webhook_receiver import SECRET

pytestmark = pytest.mark.slow

PAGE = DOCS / "howto/webhooks.rst"
EXECUTED = ["docs/howto/webhooks.rst"]
WORKS = "How you see that it works"
FORM = "The request and its answer"
#: Prints the port of a server with the project's application.
SERVE = """
from wsgiref.simple_server import make_server
from shop.wsgi import application
server = make_server("127.0.0.1", 0, application)
print(server.server_port, flush=True)
server.serve_forever()
"""
#: Two messages with two events of the types that the page names.
WRITE = """
from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.outbox import send_sms
for number in range(2):
    send_sms("89135292926", f"Ваш заказ {number} готов")
SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
SmsMessage.objects.all().end("failed", ErrorCode.REPORTED_FAILED)
"""
KEPT = """
from office.models import SmsStatus
print(*SmsStatus.objects.order_by("event_id").values_list("status", flat=True))
"""


@pytest.fixture
def project(tmp_path: Path) -> NewProject:
    """A project that sends, and that has the page's receiver for Django."""
    project = NewProject(tmp_path, "http://127.0.0.1:9/")
    project.env |= {"OFFICE_URL": "http://127.0.0.1:9/", "OFFICE_SECRET": SECRET}
    for block in blocks(PAGE, "Steps"):
        if not file_of(block).startswith("receiver/"):
            project.write(file_of(block), block.text) if file_of(block) else None
    project.write(
        "shop/settings.py",
        'INSTALLED_APPS += ["office"]\nOFFICE_SECRET = os.environ["OFFICE_SECRET"]',
    )
    project.manage("makemigrations", "office")
    project.manage("migrate")
    return project


@contextmanager
def served(project: NewProject) -> Iterator[str]:
    """The address of the project's own pages, by a server of its own."""
    command = [sys.executable, "-u", "-c", SERVE]
    environment = project.env | {"DJANGO_SETTINGS_MODULE": "shop.settings"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=project.folder, env=environment, **pipes) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/sms-events/"
        finally:
            process.kill()


@contextmanager
def flask_receiver(monkeypatch: pytest.MonkeyPatch, database: Path) -> Iterator[str]:
    """The page's receiver for Flask on a real port."""
    [code] = [b.text for b in blocks(PAGE, "Steps") if file_of(b) == "receiver/app.py"]
    monkeypatch.setenv("OFFICE_SECRET", SECRET)
    monkeypatch.setenv("OFFICE_DATABASE", str(database))
    named: dict[str, Any] = {"__name__": "receiver.app"}
    exec(compile(code, "receiver/app.py", "exec"), named)
    server = make_server("127.0.0.1", 0, named["app"])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/sms-events/"
    finally:
        server.shutdown()
        server.server_close()


def deliver(project: NewProject, url: str) -> str:
    """Deliver to the page's consumer, after the worker has met it, and print the state."""
    project.env["OFFICE_URL"] = url
    project.manage("sms_webhooks", "--deliver")
    project.manage("shell", stdin=WRITE)
    return project.manage("sms_webhooks", "--deliver")


def wrong_requests(url: str) -> list[int]:
    """The codes of the answers to requests that the consumer must not believe."""
    event = json.dumps({"type": "message.sent", "data": {"id": 9, "guid": "x", "status": "sent"}})
    now = datetime.now().astimezone()
    right = {
        "webhook-id": "evt_9",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(
            "evt_9", datetime.utcfromtimestamp(int(now.timestamp())), event
        ),
    }
    wrong = [
        {},
        right | {"webhook-id": "evt_8"},
        right | {"webhook-timestamp": "1"},
        right | {"webhook-signature": "v1,AAAA"},
        right | {"webhook-signature": "nonsense"},
    ]
    return [requests.post(url, data=event, headers=headers).status_code for headers in wrong]


def test_django_receiver_keeps_the_last_status_once_and_believes_no_stranger(project):
    with served(project) as url:
        assert "Delivered: 4" in deliver(project, url)
        assert project.value(KEPT) == "failed failed"
        # All of them again: the consumer has them already.
        assert "Not delivered yet" in project.manage("sms_webhooks", "office", "--again-from", "2h")
        assert "Delivered: 8" in project.manage("sms_webhooks", "--deliver")
        assert project.value(KEPT) == "failed failed"
        assert wrong_requests(url) == [401] * 5
        assert requests.get(url).status_code == 405
        assert project.type_in(PAGE, WORKS) == 2


def test_flask_receiver_keeps_the_last_status_once_and_believes_no_stranger(
    project, monkeypatch, tmp_path
):
    database = tmp_path / "office.sqlite3"

    def kept():
        with closing(sqlite3.connect(database)) as connection:
            return [status for (status,) in connection.execute("SELECT status FROM sms")]

    with flask_receiver(monkeypatch, database) as url:
        assert "Delivered: 4" in deliver(project, url)
        assert kept() == ["failed"] * 2
        project.manage("sms_webhooks", "office", "--again-from", "2h")
        assert "Delivered: 8" in project.manage("sms_webhooks", "--deliver")
        assert kept() == ["failed"] * 2
        assert wrong_requests(url) == [401] * 5


def test_secret_of_the_page_is_accepted(project):
    [make] = [b.text for b in blocks(PAGE, "Steps") if "token_bytes" in b.text]
    project.env["OFFICE_SECRET"] = project.manage("shell", "--no-imports", stdin=make)
    project.manage("check")
    assert project.code == 0


def test_payload_of_the_page_is_that_of_the_code():
    [shown] = [b.text for b in blocks(PAGE, FORM) if b.language == "json"]
    delivery = WebhookDelivery(
        event=4711,
        guid="5f0c1c1e-6c1f-4a0e-9d8a-0f4b7a5f1c01",
        occurred_at=datetime(2026, 11, 29, 10, 0, 0, 250_000, timezone.utc),
        old_status="accepted",
        status="failed",
        error_code="reported_failed",
    )
    assert list(json.loads(body_of(delivery)).items()) == list(json.loads(shown).items())


def test_figures_of_the_page_are_those_of_the_code():
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    delays = [delay.total_seconds() for delay in retry_schedule.DELAYS]
    figures = re.search(
        r"after (\d) seconds, (\d) minutes, (\d+) minutes, ([\d, ]+ and \d+) hours", text
    )
    assert figures is not None
    seconds, minutes, more, hours = figures.groups()
    written = [int(seconds), int(minutes) * 60, int(more) * 60]
    written += [int(hour) * 3600 for hour in re.findall(r"\d+", hours)]
    assert (written, retry_schedule.JITTER, GIVE_UP_AFTER.days) == (delays, 0.2, 3)
    assert f"and then every {delays[-1] / 3600:.0f} hours" in text
    assert f"none within {TIMEOUT:.0f} seconds" in text
    assert f"at most {CONCURRENCY} requests at once" in text
    first, longest = retry_schedule.FIRST_PAUSE, retry_schedule.LONGEST_PAUSE
    pauses = f"after {first.seconds} seconds at first and after {longest.seconds // 60} minutes"
    assert pauses in text
