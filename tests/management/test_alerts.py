"""docs/howto/monitoring.rst: what a person must end alerts once an hour, by mail and by Sentry."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError
from django.db import DatabaseError, connection, transaction

from django_mobilon_sms.models import (
    REPORT_EVERY,
    GatewayState,
    ReportedError,
    SmsBatch,
    SmsMessage,
    db_now,
)
from django_mobilon_sms.worker import outcome_recording, refresh, send_now, sweep_leftovers
from django_mobilon_sms.worker.statuses import queries
from tests.support.documents import DOCS, blocks
from tests.support.lock_waits import in_threads, waiting
from tests.support.messages import claim, write
from tests.support.workers import PATIENCE, ROOT, database_url, wait_until

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

PAGE = DOCS / "howto/monitoring.rst"
TEXT = "Код входа 4821"
#: The mail handler of the page writes its mail into a folder.
MAIL = """
ADMINS = [("On call", "oncall@shop.example")]
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = {folder!r}
"""
PASSWORD = (
    "The gateway refused the user name or the password. HTTP 401. Check MOBILON_SMS_USERNAME and"
    " MOBILON_SMS_PASSWORD, and restart the worker."
)
UNKNOWN = (
    "The gateway answered with an error, but may have sent it. HTTP 500. Decide about the messages"
    " in the admin, and ask the vendor."
)


@contextmanager
def sentry() -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """A server for Sentry's SDK: its address, and the text of each event so far."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_packed = self.headers.get("Content-Encoding") == "gzip"
            bodies.append(gzip.decompress(body) if is_packed else body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            pass

    def events() -> list[str]:
        lines = [json.loads(line) for body in bodies for line in body.splitlines() if line]
        return [json.dumps(line, ensure_ascii=False) for line in lines if "logentry" in line]

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://key@127.0.0.1:{server.server_port}/1", events
        server.shutdown()


class Cron:
    """Runs `manage.py send_sms` in a process of its own, a minute after the last run."""

    def __init__(self, folder: Path, url: str, code: str, **environment: str) -> None:
        (folder / "alerted_settings.py").write_text(f"from tests.settings import *\n{code}")
        self.env = os.environ | environment
        self.env |= {"MOBILON_SMS_BASE_URL": url, "DATABASE_URL": database_url()}
        paths = [str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]
        self.env["PYTHONPATH"] = os.pathsep.join(paths)

    def run(self, **environment: str) -> str:
        GatewayState.objects.filter(blocked_until__isnull=False).update(blocked_until=db_now())
        done = subprocess.run(
            [sys.executable, "-m", "django", "send_sms", "--settings=alerted_settings"],
            env=self.env | environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout


def written(path: Path) -> int:
    return path.stat().st_mtime_ns


def an_hour_later() -> None:
    ReportedError.objects.update(reported_at=db_now() - REPORT_EVERY)


@pytest.fixture(params=["mail", "sentry"])
def alerted(request, tmp_path, sandbox) -> Iterator[tuple[Cron, Callable[[], list[str]]]]:
    """Cron with a recipe of the page, and the alerts so far."""
    logging, recipe = [block.text for block in blocks(PAGE, "Steps") if block.language == "python"]
    if request.param == "mail":
        folder = tmp_path / "mail"
        code = logging + MAIL.format(folder=str(folder))
        yield (
            Cron(tmp_path, sandbox.url, code),
            lambda: [path.read_text() for path in sorted(folder.glob("*"), key=written)],
        )
    else:
        with sentry() as (dsn, events):
            yield Cron(tmp_path, sandbox.url, recipe, SENTRY_DSN=dsn), events


@pytest.mark.slow
def test_each_cause_alerts_once_an_hour_although_cron_runs_each_minute(alerted, sandbox):
    cron, alerts = alerted
    write(3, text=TEXT)

    def two_runs_of_each() -> None:
        for _minute in range(2):
            assert PASSWORD in cron.run(MOBILON_SMS_PASSWORD="wrong-4711")
        for _minute in range(2):
            write(text=TEXT)
            sandbox.fault("http", code=500)
            assert UNKNOWN in cron.run()

    def causes() -> list[list[bool]]:
        return [
            [f"error_code={code}" in one for code in ("credentials", "http_error")]
            for one in alerts()
        ]

    expected = [[True, False], [False, True]]
    two_runs_of_each()
    assert causes() == expected
    an_hour_later()
    two_runs_of_each()
    assert causes() == expected * 2
    secrets = (TEXT, "79135292926", "wrong-4711")
    assert [one for one in alerts() if any(secret in one for secret in secrets)] == []


def levels(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The levels and error codes of the errors in the log."""
    logged = [(one.levelname, one.getMessage().split()) for one in caplog.records]
    return [(level, words[1]) for level, words in logged if words[0] == "run.error"]


@pytest.mark.parametrize(
    ("fault", "level", "code"),
    [
        ({"code": 401}, "ERROR", "credentials"),
        ({"code": 402}, "ERROR", "payment"),
        ({"code": 404}, "ERROR", "http_refused"),
        ({"code": 302}, "ERROR", "redirect"),
        ({"code": 503}, "ERROR", "http_error"),
        ({"code": 429}, "WARNING", "rate_limited"),
        ({"code": 413}, "WARNING", "http_refused"),
    ],
)
def test_only_what_a_person_must_end_is_an_error(sandbox, worker, caplog, fault, level, code):
    write()
    sandbox.fault("http", **fault)
    worker("--no-refresh")
    assert levels(caplog) == [(level, f"error_code={code}")]


def test_gateway_that_cannot_be_reached_is_a_warning(worker, caplog):
    write()
    worker("--no-refresh")
    assert levels(caplog) == [("WARNING", "error_code=connection")]


def test_query_with_a_wrong_password_is_an_error_and_one_that_fails_is_not(sandbox, worker, caplog):
    write()
    worker()
    for code in (401, 503):
        SmsBatch.objects.update(next_check_at=db_now())
        sandbox.fault("http", path="/status/", code=code)
        worker()
    assert levels(caplog) == [
        ("ERROR", "error_code=credentials"),
        ("WARNING", "error_code=http_error"),
    ]


def test_lost_batch_and_an_expired_resend_are_errors(worker, caplog):
    [lost] = write()
    claim(SmsBatch.objects.create(worker="elsewhere:1", lease_until=db_now()), lost)
    write()
    hour = timedelta(hours=1)
    SmsMessage.objects.exclude(pk=lost.pk).change(
        send_at=db_now() - 2 * hour, expires_at=db_now() - hour, resends=1
    )
    worker("--no-refresh")
    assert levels(caplog) == [("ERROR", "error_code=lost"), ("ERROR", "error_code=expired")]


@pytest.mark.parametrize("reason", ["disabled", "trouble", "configuration"])
def test_lost_batch_is_an_error_also_where_no_status_is_queried(worker, caplog, settings, reason):
    [lost] = write()
    claim(SmsBatch.objects.create(worker="elsewhere:1", lease_until=db_now()), lost)
    if reason == "trouble":  # of an earlier refresh: a patient one waits now
        queries.trouble.note([ConnectionError()])
    elif reason == "disabled":
        settings.MOBILON_SMS_ENABLED = False
    else:
        settings.MOBILON_SMS_TIMEOUT = "20"
    with suppress(ImproperlyConfigured):
        refresh(sweep_leftovers(), patient=True)
    queries.trouble.forget()
    assert levels(caplog) == [("ERROR", "error_code=lost")]


def test_batch_is_logged_with_its_outcome_and_counts(sandbox, worker, caplog):
    caplog.set_level("INFO", logger="django_mobilon_sms")
    write(3)
    sandbox.fault("changed", changes={"id": ""}, at=1)
    worker("--no-refresh")
    batch = SmsBatch.objects.get()
    assert caplog.messages == [
        f"batch.recorded batch={batch.pk} outcome=answered error_code= http_code="
        " statuses=accepted:2,unknown:1",
        "run.error error_code=no_id http_code= messages=1: The gateway's answer has no id for this"
        " message. Decide about the messages in the admin, and ask the vendor what the code means.",
    ]


def test_error_of_a_long_run_is_logged_before_its_end(sandbox, worker, caplog):
    seen = []

    def come(exchange):
        seen.append(len(levels(caplog)))

    write(30)
    sandbox.fault("changed", changes={"id": ""}, at=1)
    sandbox.on_request = come
    worker("--no-refresh", "--batch-size=10", "--concurrency=1")
    assert seen == [0, 0, 1]  # the second was sent before the first was recorded


def test_wrong_setting_is_an_error_once_an_hour(sandbox, worker, settings, caplog):
    settings.MOBILON_SMS_TIMEOUT = "20"
    for _minute in range(2):
        with pytest.raises(CommandError):
            worker()
    [record] = caplog.records
    assert (record.levelname, record.getMessage()[:66]) == (
        "ERROR",
        "run.configuration error=ImproperlyConfigured: (E007) MOBILON_SMS_T",
    )


def test_outcome_that_the_database_refuses_is_an_error_once_an_hour(
    sandbox, worker, caplog, monkeypatch
):
    def refuse(results):
        raise DatabaseError("no retry mends it") from None

    monkeypatch.setattr(outcome_recording, "record_all", refuse)
    monkeypatch.setattr(outcome_recording, "retry_on_lock", lambda write, **options: write())
    for _minute in range(2):
        write()
        assert worker("--no-refresh").code == 1
    an_hour_later()
    assert send_now([write()[0].pk]).failed
    failed = [one.levelname for one in caplog.records if one.getMessage().startswith("run.failed")]
    assert failed == ["ERROR", "WARNING", "ERROR"]


def test_error_is_reported_once_an_hour_and_a_clock_that_was_ahead_hides_none():
    report = ReportedError.objects.report
    assert [report("lost"), report("lost"), report("held"), report("lost")] == [
        True, False, True, False,
    ]  # fmt: skip
    ReportedError.objects.update(reported_at=db_now() + timedelta(days=1))
    assert [report("lost"), report("lost")] == [True, False]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no row locks")
def test_host_that_waited_while_another_reported_the_error_does_not_repeat_it():
    locked, both_began = threading.Event(), threading.Event()

    def report_first() -> bool:
        with transaction.atomic():
            ReportedError.objects.select_for_update().get()
            locked.set()
            assert both_began.wait(PATIENCE)
            return ReportedError.objects.report("lost")

    ReportedError.objects.report("lost")
    an_hour_later()
    with in_threads() as start:
        first = start(report_first)
        assert locked.wait(PATIENCE)
        second = start(ReportedError.objects.report, "lost")
        wait_until(waiting)  # its statement has begun, and so has its time
        both_began.set()
        assert (first.result(PATIENCE), second.result(PATIENCE)) == (True, False)


def test_error_is_a_warning_while_the_database_cannot_keep_that_it_was_reported(
    sandbox, worker, caplog, monkeypatch
):
    def refuse(self, name):
        raise DatabaseError("no such table") from None

    monkeypatch.setattr(type(ReportedError.objects), "report", refuse)
    write()
    sandbox.fault("http", code=401)
    assert worker("--no-refresh").code == 1
    assert levels(caplog) == [("WARNING", "error_code=credentials")]
