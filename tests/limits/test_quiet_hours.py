"""Quiet hours, and how long a message waits at most."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from django_mobilon_sms.choices import Priority, Status
from django_mobilon_sms.limits import loud_since, quiet_until
from django_mobilon_sms.models import GatewayState, SmsMessage
from django_mobilon_sms.operations import monitoring
from django_mobilon_sms.outbox import send_many, send_sms
from django_mobilon_sms.testing import MemoryBackend
from django_mobilon_sms.worker import deliver, send_now
from tests.support.cron import START, Clock
from tests.support.messages import write

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def memory(settings):
    settings.MOBILON_SMS_BACKEND = "django_mobilon_sms.testing.MemoryBackend"
    MemoryBackend.sent.clear()


@pytest.fixture
def night(settings, monkeypatch):
    """Midnight, in quiet hours that end at nine."""
    settings.MOBILON_SMS_QUIET_HOURS = "21:00-09:00 UTC"
    clock = Clock()
    monkeypatch.setattr("django_mobilon_sms.database.clock.Now", clock)
    GatewayState.objects.current()  # before it is written a monitor shows its own host's time
    return clock


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        ("21:00-09:00 Europe/Moscow", "2026-03-05T20:59:59+03:00", None),
        ("21:00-09:00 Europe/Moscow", "2026-03-05T21:00:00+03:00", "2026-03-06T09:00:00+03:00"),
        ("21:00-09:00 Europe/Moscow", "2026-03-05T18:30:00+00:00", "2026-03-06T09:00:00+03:00"),
        ("21:00-09:00 Europe/Moscow", "2026-03-06T08:59:59+03:00", "2026-03-06T09:00:00+03:00"),
        ("21:00-09:00 Europe/Moscow", "2026-03-06T09:00:00+03:00", None),
        ("12:00-14:00 Europe/Moscow", "2026-03-05T11:59:59+03:00", None),
        ("12:00-14:00 Europe/Moscow", "2026-03-05T13:00:00+03:00", "2026-03-05T14:00:00+03:00"),
        ("12:00-14:00 Europe/Moscow", "2026-03-05T14:00:00+03:00", None),
        # The night when clocks go on is an hour shorter, the one when they go back longer.
        ("21:00-09:00 Europe/Berlin", "2026-03-28T22:00:00+01:00", "2026-03-29T09:00:00+02:00"),
        ("21:00-09:00 Europe/Berlin", "2026-10-24T22:00:00+02:00", "2026-10-25T09:00:00+01:00"),
        # Where clocks show the end twice, it is quiet until the second time without a break.
        ("22:00-02:30 Europe/Berlin", "2026-10-25T02:15:00+02:00", "2026-10-25T02:30:00+01:00"),
        ("22:00-02:30 Europe/Berlin", "2026-10-25T02:45:00+02:00", "2026-10-25T02:30:00+01:00"),
        ("22:00-02:30 Europe/Berlin", "2026-10-25T02:29:00+01:00", "2026-10-25T02:30:00+01:00"),
        ("22:00-02:30 Europe/Berlin", "2026-10-25T02:30:00+01:00", None),
        ("02:00-02:45 Europe/Berlin", "2026-10-25T02:50:00+02:00", "2026-10-25T02:45:00+01:00"),
        # An hour that is left out is over when clocks show the next.
        ("02:00-02:45 Europe/Berlin", "2026-03-29T03:00:00+02:00", None),
        ("22:00-02:30 Europe/Berlin", "2026-03-29T01:59:00+01:00", "2026-03-29T02:30:00+01:00"),
        ("21:00-09:00", "2026-03-05T21:00:00+05:00", "2026-03-06T09:00:00+05:00"),
        (None, "2026-03-05T21:00:00+03:00", None),
    ],
)
def test_wall_clocks_say_whether_it_is_quiet(settings, hours, now, until):
    settings.MOBILON_SMS_QUIET_HOURS = hours
    settings.TIME_ZONE = "Asia/Yekaterinburg"
    found = quiet_until(datetime.fromisoformat(now))
    assert (found and found.isoformat()) == until


def test_last_end_of_the_quiet_hours_is_known(settings):
    assert loud_since(START) is None
    settings.MOBILON_SMS_QUIET_HOURS = "21:00-09:00 UTC"
    assert loud_since(START + 9 * HOUR) == START + 9 * HOUR
    assert loud_since(START + 8 * HOUR) == START - 15 * HOUR


def test_at_night_only_urgent_messages_go_out(night, worker, settings):
    settings.TIME_ZONE = "UTC"
    write(2)
    write(1, priority=Priority.LOW)
    write(1, priority=Priority.HIGH)
    assert worker("--no-refresh").output.splitlines() == [
        "Quiet hours: until 01/01/2040 09:00 only urgent messages go out.",
        "Messages: 1 accepted",
    ]
    report = deliver()
    assert (report.halted, report.resumes_at, report.exit_code) == ("quiet", START + 9 * HOUR, 0)
    assert len(MemoryBackend.sent) == 1
    night.now = START + 9 * HOUR
    assert deliver().claimed == 3


def test_send_now_does_not_wake_people_either(night):
    urgent, usual = write(1, priority=Priority.HIGH) + write(1)
    assert send_now([urgent.pk, usual.pk]).statuses == {"accepted": 1}
    assert send_now([usual.pk]).halted == "quiet"


def test_night_is_no_trouble_to_a_monitor(night):
    write(1)
    SmsMessage.objects.all().change(due_at=START - 5 * HOUR)
    seen = monitoring.observe()
    assert (seen.gateway, seen.waiting, seen.oldest_waiting) == ("quiet", 1, None)
    night.now = START + 9 * HOUR + timedelta(minutes=10)
    seen = monitoring.observe()
    assert (seen.gateway, seen.quiet_until) == ("ready", None)
    assert seen.oldest_waiting.total_seconds() == pytest.approx(600, abs=1)
    write(1, priority=Priority.HIGH)
    SmsMessage.objects.filter(priority=Priority.HIGH).change(due_at=START + 8 * HOUR)
    assert monitoring.observe().oldest_waiting.total_seconds() == pytest.approx(4200, abs=1)


# The lifetime


def test_message_that_names_no_expiry_lives_as_long_as_the_setting_says(settings):
    settings.MOBILON_SMS_LIFETIME = 3600
    send_sms("+79135292926", "привет")
    send_many([{"number": "+79135292926", "text": "привет", "send_at": START}])
    send_sms("+79135292926", "привет", send_at=START, expires_at=START + 5 * HOUR)
    now, later, named = SmsMessage.objects.order_by("pk")
    assert abs(now.expires_at - now.send_at - HOUR) < timedelta(minutes=1)
    assert later.expires_at == START + HOUR
    assert named.expires_at == START + 5 * HOUR


def test_same_call_again_is_the_same_message_whatever_the_lifetime(settings):
    settings.MOBILON_SMS_LIFETIME = 3600
    guid = send_sms("+79135292926", "привет").guid
    settings.MOBILON_SMS_LIFETIME = 7200
    assert not send_sms("+79135292926", "привет", guid=guid).was_written
    assert SmsMessage.objects.filter(status=Status.PENDING).count() == 1
