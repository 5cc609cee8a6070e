"""`manage.py sms_watchdog`: one message for each interval, and the judgement of the last one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from django_mobilon_sms.choices import Priority
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.operations import watchdog
from django_mobilon_sms.outbox import send_sms, stop
from tests.conftest import Run
from tests.support.cron import MINUTE, START, Clock
from tests.support.documents import ROOT

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

NUMBER, HIDDEN = "+79135292926", "+7913*****26"
WRITTEN = f"The message to {HIDDEN} is written.\n"
NONE_YET = "There is no earlier message to check yet.\n"


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Simulate the time, so that no hour ends during a test. ``START`` is the beginning of one."""
    clock = Clock()
    monkeypatch.setattr("django_mobilon_sms.database.clock.Now", clock)
    return clock


def run(*options: str, to: str = NUMBER) -> Run:
    output, code = StringIO(), 0
    try:
        call_command("sms_watchdog", f"--to={to}", *options, stdout=output, stderr=output)
    except SystemExit as error:
        code = int(error.code or 0)
    # The database has dated a new row by its own clock.
    SmsMessage.objects.filter(created_at__lt=START).change(created_at=db_now())
    return Run(code, output.getvalue())


@pytest.fixture
def at(clock):
    """Run the watchdog at a minute of simulated time."""

    def at(minute: float, *options: str) -> int:
        clock.now = START + minute * MINUTE
        return run(*options).code

    return at


@pytest.fixture
def send(worker):
    """Send what is due, and query the statuses."""

    def send() -> None:
        worker("--no-refresh")
        SmsMessage.objects.all().check_soon()
        worker("--refresh-only")

    return send


def test_it_writes_one_urgent_message_for_each_number_and_sender():
    assert run() == (0, WRITTEN + NONE_YET)
    [message] = SmsMessage.objects.all()
    assert message.text.startswith("SMS check ")
    assert message.text.endswith(f" ({message.guid.hex[:6]})")
    assert (message.number, message.priority, message.tag) == (NUMBER, Priority.HIGH, "watchdog")
    assert message.segments == 1
    assert run("--source", message.source, to="8 913 529-29-26") == (0, WRITTEN + NONE_YET)
    assert SmsMessage.objects.count() == 1
    run(to="+79135292927")
    run("--source", "89234560001")
    assert SmsMessage.objects.values("guid").distinct().count() == 3


def test_guid_needs_the_secret_key_and_outlives_its_rotation(settings):
    settings.SECRET_KEY = "first"
    run()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "second", ["first"]
    assert run().code == 0
    assert SmsMessage.objects.count() == 1
    # Without the fallback it is as new, and writes one message more.
    settings.SECRET_KEY_FALLBACKS = []
    assert run() == (0, WRITTEN + NONE_YET)
    assert SmsMessage.objects.count() == 2


def test_cron_each_minute_writes_one_message_an_hour(at, sandbox, send):
    codes = []
    for minute in range(0, 181, 3):
        codes.append(at(minute))
        send()
    assert set(codes) == {0}
    assert SmsMessage.objects.count() == len(sandbox.messages) == 4
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"sent"}


def test_message_that_is_not_sent_in_time_fails_until_a_later_one_is_sent(at, sandbox, send):
    sandbox.sent_after = 3600
    assert at(0) == 0
    send()
    assert SmsMessage.objects.get().status == "accepted"
    assert [at(minute) for minute in (9, 11, 59, 60, 69)] == [0, 3, 3, 3, 3]
    sandbox.sent_after = 0
    send()
    assert at(70) == 0


def test_message_that_was_sent_late_fails(at, sandbox, send):
    assert at(0) == 0
    sandbox.sent_after = 3600
    send()
    [received] = sandbox.messages
    for minutes, code in ((9, 0), (11, 3)):
        SmsMessage.objects.filter(status="sent").change(status="accepted")
        sandbox.set_status(received.id, 1, f"{START + minutes * MINUTE:%Y-%m-%dT%H:%M:%S.000Z}")
        SmsBatch.objects.update(next_check_at=db_now())
        send()
        assert (SmsMessage.objects.get().status, at(30)) == ("sent", code)
    assert "was sent late, at " in run().output


@pytest.mark.parametrize("number", ["+79350000002", "+79350000005"])
def test_message_that_ended_otherwise_fails_at_once(number, at, sandbox, send, settings):
    settings.MOBILON_SMS_STATUS_REPLIES = {1: "sent", 3: "failed"}
    assert run(to=number).code == 0
    send()
    found = run(to=number)
    status = SmsMessage.objects.get().get_status_display()
    assert found.code == 3
    assert f"was not sent in time: {status}.\n" in found.output
    assert len(found.output.splitlines()) == 3  # the sentence of the error too


def test_delivered_counts_as_sent(at, sandbox, send, settings):
    settings.MOBILON_SMS_STATUS_REPLIES = {1: "sent", 2: "delivered"}
    assert run(to="+79350000003").code == 0
    send()
    assert SmsMessage.objects.get().status == "delivered"
    assert run(to="+79350000003").code == 0


def test_a_day_without_runs_is_not_judged(at, sandbox, send):
    assert at(0) == 0
    assert at(11) == 3
    assert at(23 * 60) == 3
    assert at(47 * 60 + 5) == 0


def test_a_pause_holds_it_and_leaves_no_pile(at, sandbox, send):
    GatewayState.objects.pause(by=None)
    codes = []
    for minute in range(0, 300, 15):
        codes.append(at(minute))
        send()
    assert codes == [0] + 19 * [3]
    assert SmsMessage.objects.count() == 5
    GatewayState.objects.resume()
    send()
    assert len(sandbox.messages) == 1


def test_stop_list_and_limits_refuse_it_and_duplicates_do_not(settings):
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 86_400
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = 2
    for key in ("first", "second"):  # another key, the same slot
        settings.SECRET_KEY = key
        assert run().code == 0
    settings.SECRET_KEY = "third"
    limit = "Only 2 messages an hour are written to one number. Try again later."
    assert run() == (
        3,
        f"The message to {HIDDEN} could not be written. number: {limit}\n{NONE_YET}",
    )
    stop([NUMBER])
    found = json.loads(run("--json").output)
    assert found["exit_code"] == 3
    assert "stop list" in found["refusal"]


def test_json_is_for_a_monitor_and_shows_no_number(sandbox, send):
    run()
    send()
    output = run("--json").output
    found = json.loads(output)
    message = SmsMessage.objects.get()
    assert found == {
        "number": HIDDEN,
        "refusal": "",
        "last": {
            "guid": str(message.guid),
            "status": "sent",
            "error_code": "",
            "created_at": message.created_at.isoformat(),
            "sent_at": message.sent_at.isoformat(),
        },
        "late": False,
        "exit_code": 0,
    }
    assert NUMBER not in output + run().output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--every", "59s"], "1m or more"),
        (["--every", "36500d"], "at most 366d"),
        (["--every", "5m"], "not be longer than --every"),
        (["--every", "soon"], "like 90s"),
        (["--to", "+7495"], "too short"),
    ],
)
def test_wrong_usage_is_named(options, words):
    with pytest.raises(CommandError, match=words) as raised:
        run(*options)
    assert NUMBER not in str(raised.value)
    assert not SmsMessage.objects.exists()


def test_another_host_may_write_the_message_first_and_in_its_language(monkeypatch):
    real = watchdog.send_sms

    def late(number, text, **options):
        send_sms(number, "Проверка", **options)  # by the other host, just now
        return real(number, text, **options)

    # Because two processes cannot be made to meet just between the two statements.
    monkeypatch.setattr(watchdog, "send_sms", late)
    assert run() == (0, WRITTEN + NONE_YET)
    assert SmsMessage.objects.get().text == "Проверка"


@pytest.mark.slow
def test_two_hosts_at_once_write_one_message():
    name = connection.settings_dict["NAME"]
    url = {
        "sqlite": f"sqlite:///{name}",
        "postgresql": f"postgres://postgres@127.0.0.1:5432/{name}",
        "mysql": f"mysql://root@127.0.0.1:3306/{name}",
    }[connection.vendor]
    command = [sys.executable, "-m", "django", "sms_watchdog", "--to", NUMBER, "--every", "52w"]
    environ = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    hosts = [
        subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [host.communicate()[0] for host in hosts] == 3 * [WRITTEN + NONE_YET]
    assert [host.returncode for host in hosts] == [0, 0, 0]
    assert SmsMessage.objects.count() == 1
