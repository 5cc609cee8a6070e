"""`manage.py sms_status`: the outbox for a person, and for a monitor."""

from __future__ import annotations

import json
import socket
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F

from django_mobilon_sms.choices import ErrorCode, Outcome, Priority, Resolution
from django_mobilon_sms.conf import parse_duration, show_duration
from django_mobilon_sms.models import GatewayState, SenderPace, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.operations import monitoring, sending_state
from tests.conftest import Run
from tests.support.messages import write
from tests.support.sending_states import seen

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

MINUTE = timedelta(minutes=1)
WITHIN = ("1", "5", "15", "60", "300", "900", "3600", "+Inf")


def status(*options: str) -> Run:
    output = StringIO()
    try:
        call_command("sms_status", *options, stdout=output)
    except SystemExit as error:
        return Run(int(error.code or 0), output.getvalue())
    return Run(0, output.getvalue())


def as_json():
    return json.loads(status("--json").output)


def waiting_since(length, **fields):
    [message] = write(**fields)
    SmsMessage.objects.filter(pk=message.pk).change(due_at=db_now() - length)
    return message


def test_figures_of_an_empty_outbox_are_printed_and_not_written():
    assert status() == (
        0,
        "No message waits. No worker has run yet.\n"
        "Waiting: 0\n"
        "Scheduled for later: 0\n"
        "Being sent: 0\n"
        "Accepted, status still being checked: 0\n"
        "Unknown, waiting for a decision: 0\n"
        "Messages a minute: 0.0\n",
    )
    assert not GatewayState.objects.exists()


def test_everything_is_counted_where_it_belongs(sandbox, worker):
    write(3)
    worker("--no-refresh")
    waiting_since(10 * MINUTE, priority=Priority.LOW)
    waiting_since(2 * MINUTE)
    later, held, decided = write(3)
    rows = SmsMessage.objects
    rows.filter(pk=later.pk).change(due_at=db_now() + MINUTE)
    rows.filter(pk__in=[held.pk, decided.pk]).hold(ErrorCode.LOST)
    rows.filter(pk=decided.pk).resolve(Resolution.SENT, by=None)
    seen = as_json()
    assert seen.pop("accepted_after")["within"] == dict.fromkeys(WITHIN, 3)
    assert seen.pop("recent_requests") == [{"outcome": "answered", "error_code": "", "requests": 1}]
    [request] = seen.pop("last_requests")
    [beat] = seen.pop("heartbeats")
    assert datetime.fromisoformat(beat.pop("at")) <= datetime.fromisoformat(seen["now"])
    assert beat == {"host": socket.gethostname()[:64], "kind": "cron"}
    assert datetime.fromisoformat(request.pop("created_at")) <= datetime.fromisoformat(seen["now"])
    assert request == {"outcome": "answered", "error_code": "", "messages": 3}
    assert 600 <= seen.pop("oldest_waiting") < 610
    assert 0 <= seen.pop("idle") < 10
    assert seen.pop("time_to_empty") == pytest.approx(400)
    del seen["now"]
    assert seen == {
        "state": "works",
        "sentence": "Sending works.",
        "error_code": "",
        "http_code": None,
        "gateway": "ready",
        "blocked_until": None,
        "quiet_until": None,
        "failures": 0,
        "waiting": 2,
        "scheduled": 1,
        "sending": 0,
        "asked_for": 3,
        "unknown": 1,
        "rate": 0.3,
        "events_held_back": None,
        "events_dropped": 0,
    }


def test_figures_are_lines_for_a_person(sandbox, worker):
    write(3)
    sandbox.fault("http", code=503)
    worker("--no-refresh")
    GatewayState.objects.try_now()
    waiting_since(10 * MINUTE)
    lines = status().output.splitlines()
    assert lines[:2] == [
        "The gateway answered with an error, but may have sent it (503)."
        " The next message goes alone, to test the gateway.",
        "Waiting: 1, the oldest for 10m",
    ]
    assert lines[-2] == "Last requests:"
    assert lines[-1].endswith(" 3 no proof http_error")


def test_request_under_way_is_shown():
    SmsBatch.objects.create(worker="w", lease_until=db_now() + MINUTE)
    assert status().output.splitlines()[-1].endswith(" 0 under way")


@pytest.mark.parametrize(
    ("prepare", "word"),
    [
        (lambda settings: None, "ready"),
        (lambda settings: GatewayState.objects.pause(by=None), "paused"),
        (lambda settings: setattr(settings, "MOBILON_SMS_ENABLED", False), "disabled"),
        (lambda settings: GatewayState.objects.update(blocked_until=db_now() + MINUTE), "blocked"),
        (lambda settings: GatewayState.objects.update(blocked_until=db_now() - MINUTE), "probing"),
    ],
)
def test_gateway_has_a_word(settings, prepare, word):
    GatewayState.objects.current()
    prepare(settings)
    assert as_json()["gateway"] == word


def test_exit_code_answers_the_options_of_a_monitor():
    waiting_since(10 * MINUTE)
    assert status("--fail-if-unknown").code == 0
    assert status("--fail-if-waiting-over", "11m").code == 0
    assert status("--fail-if-waiting-over", "9m").code == 3
    [newest] = write()
    SmsMessage.objects.filter(pk=newest.pk).hold(ErrorCode.TIMEOUT)
    assert status("--fail-if-unknown").code == 4
    assert status("--fail-if-unknown", "--fail-if-waiting-over", "9m").code == 4
    SmsMessage.objects.filter(pk=newest.pk).resolve(Resolution.SENT, by=None)
    assert status("--fail-if-unknown").code == 0


def test_monitor_sees_that_nothing_is_sent_although_messages_wait(sandbox, worker):
    assert (status("--fail-if-idle-over", "1s").code, as_json()["idle"]) == (0, None)
    waiting_since(10 * MINUTE)
    assert status("--fail-if-idle-over", "9m").code == 3
    assert "Nothing has been sent for 10m.\n" in status().output
    # What waits in a long queue waits no less, but is being sent.
    worker("--no-refresh")
    waiting_since(10 * MINUTE)
    assert status("--fail-if-waiting-over", "9m").code == 3
    assert status("--fail-if-idle-over", "9m").code == 0
    assert "Nothing has been sent" not in status().output
    SmsBatch.objects.update(created_at=db_now() - 8 * MINUTE)
    assert [status("--fail-if-idle-over", length).code for length in ("9m", "7m")] == [0, 3]
    # A clock that ran ahead has dated the last request.
    SmsBatch.objects.update(created_at=db_now() + timedelta(days=365))
    assert status("--fail-if-idle-over", "9m").code == 3


def test_monitor_sees_that_no_worker_runs(settings):
    assert status("--fail-if-no-worker", "5m").code == 0  # none is needed
    write()
    assert status("--fail-if-no-worker", "5m").code == 3
    seen(minutes=4)
    assert [status("--fail-if-no-worker", length).code for length in ("5m", "3m")] == [0, 3]
    assert "Workers: service on sms-1, 4m ago\n" in status().output
    GatewayState.objects.pause(by=None)
    assert status("--fail-if-no-worker", "3m").code == 0
    GatewayState.objects.resume()
    settings.MOBILON_SMS_QUIET_HOURS = "00:00-23:59 UTC"
    assert status("--fail-if-no-worker", "3m").code == 0


def test_monitor_sees_that_the_clock_went_back_and_the_pace_waits(settings, worker):
    settings.MOBILON_SMS_BACKEND = "django_mobilon_sms.testing.MemoryBackend"
    settings.MOBILON_SMS_RATE = "1/h"
    write()
    worker("--no-refresh")
    SenderPace.objects.update(window=F("window") + 10_000)
    waiting_since(10 * MINUTE)
    SmsBatch.objects.update(created_at=db_now() - timedelta(hours=2))
    before = SenderPace.objects.get().window
    assert status("--fail-if-idle-over", "9m").code == 3
    assert 0 < as_json()["time_to_empty"] <= 3600
    assert SenderPace.objects.get().window == before  # a monitor writes nothing
    worker("--no-refresh")
    assert SenderPace.objects.get().window == before - 10_000


@pytest.mark.parametrize("wrong", ["", "15", "m", "0m", "1.5h", "1y", "15 m", "1m "])
def test_wrong_length_is_wrong_usage(wrong):
    with pytest.raises(CommandError, match="15m"):
        status("--fail-if-waiting-over", wrong)


@pytest.mark.parametrize(
    ("typed", "seconds", "shown"),
    [
        ("90s", 90, "90s"),
        ("15m", 900, "15m"),
        ("2h", 7200, "2h"),
        ("180d", 15_552_000, "25w"),
        ("1w", 604_800, "7d"),
        ("119s", 119, "119s"),
        ("120s", 120, "2m"),
    ],
)
def test_lengths_are_read_and_shown(typed, seconds, shown):
    assert parse_duration(typed) == timedelta(seconds=seconds)
    assert show_duration(timedelta(seconds=seconds)) == shown


def test_counts_end_at_a_bound(monkeypatch):
    monkeypatch.setattr(sending_state, "COUNT_LIMIT", 2)
    write(2)
    assert "Waiting: 2," in status().output
    write(priority=Priority.HIGH)
    assert "Waiting: 2+," in status().output


def test_rate_is_that_of_the_last_requests_only(monkeypatch):
    monkeypatch.setattr(monitoring, "RATE_REQUESTS", 2)
    for minutes in (4, 2, 1):
        SmsBatch.objects.create(
            worker="w", lease_until=db_now(), outcome=Outcome.ANSWERED, closed_at=db_now(),
            created_at=db_now() - minutes * MINUTE, message_count=50,
        )  # fmt: skip
    assert monitoring.observe().rate == pytest.approx(50, rel=0.05)


@pytest.mark.parametrize("name", ["RATE", "DAILY_LIMIT", "QUIET_HOURS"])
def test_wrong_setting_of_the_pace_is_named(settings, name):
    setattr(settings, f"MOBILON_SMS_{name}", "soon")
    with pytest.raises(CommandError, match=rf"\(E\d+\) MOBILON_SMS_{name}"):
        status()


def test_unreadable_database_is_an_error(monkeypatch):
    with connection.schema_editor() as editor:
        editor.delete_model(GatewayState)
    try:
        with pytest.raises(CommandError, match="The database reported an error"):
            status()
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(GatewayState)
