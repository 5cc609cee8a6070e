"""The pace: windows of the database's clock, and what may begin in them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.utils.timezone import override

from django_mobilon_sms.choices import Priority, Status
from django_mobilon_sms.conf import conf
from django_mobilon_sms.limits import pace
from django_mobilon_sms.models import GatewayState, SenderPace, SmsBatch, SmsMessage
from django_mobilon_sms.operations import monitoring
from django_mobilon_sms.testing import MemoryBackend
from django_mobilon_sms.worker import candidates, deliver, send_now
from django_mobilon_sms.worker.claims import take
from tests.support.cron import SECOND, START, Clock
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

TEXTS = {segments: "a" * length for segments, length in ((1, 10), (2, 200), (3, 400), (10, 1500))}
A, B = "89230000001", "89230000002"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def memory(settings):
    settings.MOBILON_SMS_BACKEND = "django_mobilon_sms.testing.MemoryBackend"
    MemoryBackend.sent.clear()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("django_mobilon_sms.database.clock.Now", clock)
    GatewayState.objects.current()  # before it is written a monitor shows its own host's time
    return clock


def sent():
    """Return the segments that went out, by sender."""
    by_sender = Counter()
    for source, segments in SmsMessage.objects.exclude(status=Status.PENDING).values_list(
        "source", "segments"
    ):
        by_sender[source] += segments
    return dict(by_sender)


# Windows


@pytest.mark.parametrize(
    ("now", "seconds", "end"),
    [
        ("2026-03-05T12:34:56+00:00", 1, "2026-03-05T12:34:57+00:00"),
        ("2026-03-05T12:34:56+00:00", 60, "2026-03-05T12:35:00+00:00"),
        ("2026-03-05T12:35:00+00:00", 60, "2026-03-05T12:36:00+00:00"),
        ("2026-03-05T12:34:56+00:00", 3600, "2026-03-05T13:00:00+00:00"),
        # A day is one of the project's zone, also where clocks are changed in it.
        ("2026-03-05T12:34:56+00:00", 86_400, "2026-03-05T23:00:00+00:00"),
        ("2026-03-28T23:00:00+00:00", 86_400, "2026-03-29T22:00:00+00:00"),
        ("2026-10-24T22:30:00+00:00", 86_400, "2026-10-25T23:00:00+00:00"),
    ],
)
def test_window_ends_where_the_next_begins(settings, now, seconds, end):
    settings.TIME_ZONE = "Europe/Berlin"
    with override("Asia/Tokyo"):  # whose request it is does not matter
        window = pace.window_at(datetime.fromisoformat(now), seconds)
    assert window.end == datetime.fromisoformat(end)
    assert pace.window_at(window.end, seconds).number == window.number + 1


def test_limits_of_a_sender_are_its_own_or_those_of_the_others(settings):
    settings.MOBILON_SMS_RATE = {A: "10/m", "*": "2/s"}
    settings.MOBILON_SMS_DAILY_LIMIT = 500
    assert pace.limits(A) == [(60, 10), (86_400, 500)]
    assert pace.limits(B) == [(1, 2), (86_400, 500)]
    settings.MOBILON_SMS_RATE, settings.MOBILON_SMS_DAILY_LIMIT = {A: "10/h"}, None
    assert (pace.limits(A), pace.limits(B)) == ([(3600, 10)], [])


# The worker


def test_message_begins_while_the_window_is_not_full_and_the_next_pays_for_it(settings, clock):
    settings.MOBILON_SMS_RATE = "4/m"
    write(1, text=TEXTS[3])
    write(1, text=TEXTS[3])
    write(3)
    report = deliver()
    assert sent() == {conf.SOURCE: 6}
    assert (report.halted, report.exit_code) == ("pace", 0)
    assert report.resumes_at == START + timedelta(minutes=1)
    clock.begin(1)
    deliver()
    assert sent() == {conf.SOURCE: 8}
    clock.begin(2)
    assert deliver().halted == ""
    assert sent() == {conf.SOURCE: 9}


def test_what_goes_far_beyond_is_charged_to_as_many_windows_as_it_takes(settings, clock):
    settings.MOBILON_SMS_RATE = "3/m"
    write(1, text=TEXTS[10])
    write(1)
    deliver()
    assert sent() == {conf.SOURCE: 10}
    for minute in (1, 2):
        clock.begin(minute)
        report = deliver()
        assert (report.halted, report.resumes_at) == ("pace", START + timedelta(minutes=3))
    clock.begin(3)
    deliver()
    assert sent() == {conf.SOURCE: 11}


def test_day_is_limited_beside_the_minute(settings, clock):
    settings.MOBILON_SMS_RATE, settings.MOBILON_SMS_DAILY_LIMIT = "4/m", 6
    write(12)
    deliver()
    clock.begin(1)
    report = deliver()
    assert sent() == {conf.SOURCE: 6}
    assert report.resumes_at == pace.window_at(START, 86_400).end
    clock.begin(24 * 60)
    deliver()
    assert sent() == {conf.SOURCE: 10}


def test_sender_whose_window_is_full_holds_up_no_other(settings, clock):
    settings.MOBILON_SMS_RATE = {A: "2/m"}
    write(150, source=A, priority=Priority.HIGH)
    write(120, source=B, priority=Priority.LOW)
    report = deliver()
    assert sent() == {A: 2, B: 120}
    assert report.halted == "pace"


def test_senders_take_turns_and_the_sooner_priority_comes_first(settings, clock):
    settings.MOBILON_SMS_RATE = "100/m"
    write(5, source=A)
    write(2, source=A, priority=Priority.HIGH)
    write(3, source=B)
    [[*found]] = candidates.due(
        8, 100, room=lambda sources: dict.fromkeys(sources, pace.Room(100, 90))
    )
    assert [one.source for one in found] == [A, A, B, B, A, B, A, A]


def test_of_a_claim_that_others_were_faster_with_only_the_rest_is_charged(settings, clock):
    settings.MOBILON_SMS_RATE = "100/m"
    first, *_ = write(3)
    now = GatewayState.objects.current().now
    pace.room([conf.SOURCE], now)
    found = candidates.due(3, 3)
    SmsMessage.objects.filter(pk=first.pk).cancel()
    [claim] = take(found, paced_at=now)
    assert len(claim.messages) == 2
    assert SenderPace.objects.get().used == 2


def test_claim_for_which_there_is_no_room_any_more_leaves_no_trace(settings, clock):
    settings.MOBILON_SMS_RATE = "4/m"
    write(8)
    now = GatewayState.objects.current().now
    pace.room([conf.SOURCE], now)
    first, second = candidates.due(8, 4)
    assert take([first], paced_at=now)
    assert take([second], paced_at=now) == []
    assert SenderPace.objects.get().used == 4
    assert SmsBatch.objects.count() == 1
    assert SmsMessage.objects.filter(status=Status.PENDING).count() == 4


@pytest.mark.parametrize("urgent", [False, True])
def test_claim_that_was_put_into_another_order_has_the_room_that_was_seen(settings, clock, urgent):
    """A message that had trouble gets a batch of its own, behind those of the others."""
    settings.MOBILON_SMS_RATE = "10/m"
    priority = Priority.HIGH if urgent else Priority.NORMAL
    _, again = write(2, priority=priority)
    SmsMessage.objects.filter(pk=again.pk).change(resends=1)
    write(1, text="я" * 200, priority=priority)  # three segments
    now = GatewayState.objects.current().now
    pace.room([conf.SOURCE], now)
    SenderPace.objects.update(used=7 if urgent else 6)  # three segments are left
    found = candidates.due(10, 10, room=lambda sources: pace.room(sources, now))
    assert [len(batch) for batch in found] == [2, 1]
    assert sum(len(claim.messages) for claim in take(found, paced_at=now)) == 3


def test_claim_gives_up_where_others_are_always_faster(settings, clock, monkeypatch):
    write(1)
    monkeypatch.setattr(pace, "charge", lambda loads, now: False)  # no worker is so fast for long
    settings.MOBILON_SMS_RATE = "10/m"
    report = deliver()
    assert (report.claimed, report.exit_code) == (0, 0)


def test_claim_whose_window_has_ended_is_not_charged_to_it(settings, clock):
    settings.MOBILON_SMS_RATE = "4/m"
    write(2)
    now = GatewayState.objects.current().now
    pace.room([conf.SOURCE], now)
    found = candidates.due(8, 4)
    clock.begin(1)
    assert take(found, paced_at=now) == []
    assert not SmsMessage.objects.exclude(status=Status.PENDING).exists()
    deliver()
    assert sent() == {conf.SOURCE: 2}


def test_clock_that_is_set_back_opens_no_window_again(settings, clock):
    settings.MOBILON_SMS_RATE = "4/m"
    write(12)
    clock.begin(5)
    deliver()
    clock.now = START + timedelta(minutes=4)
    report = deliver()
    assert (report.halted, report.resumes_at) == ("pace", START + timedelta(minutes=6))
    clock.now = START + timedelta(minutes=6)
    deliver()
    assert sent() == {conf.SOURCE: 8}


@pytest.mark.parametrize("limit", ["minute", "hour", "day"])
@pytest.mark.parametrize("length", [HOUR, DAY, 365 * DAY], ids=["hour", "day", "year"])
@pytest.mark.parametrize("sign", [1, -1], ids=["forward", "back"])
def test_jump_of_the_clock_stops_the_pace_for_a_window_at_most(
    settings, clock, limit, length, sign
):
    """The clock runs ahead, or behind, and is set right; then it runs on."""
    settings.TIME_ZONE = "UTC"
    if limit == "day":
        settings.MOBILON_SMS_DAILY_LIMIT, window = 4, DAY
    else:
        settings.MOBILON_SMS_RATE = f"4/{limit[0]}"
        window = HOUR if limit == "hour" else timedelta(minutes=1)
    write(40)
    deliver()
    clock.now += sign * length
    totals = [deliver() and sent()[conf.SOURCE] for _ in range(3)]
    clock.now -= sign * length
    for _ in range(3):  # however often it is looked at
        report = deliver()
        totals.append(sent()[conf.SOURCE])
        assert report.halted == "pace"
        assert timedelta() < report.resumes_at - clock.now <= 2 * window
    # A clock that goes forward opens a window, unless it was one window behind at the most.
    apart = abs((clock.now + sign * length - START) // window)
    total = 8 if apart > (sign < 0) else 4
    assert totals == ([total] * 6 if sign > 0 else [4] * 3 + [total] * 3)
    for _ in range(3):
        clock.now = report.resumes_at
        report = deliver()
        total += 4
        assert sent()[conf.SOURCE] == total


def test_wait_ends_when_the_worker_goes_on_after_the_clock_ran_ahead(settings, clock):
    settings.MOBILON_SMS_RATE = "4/m"
    write(40)
    for ahead in (1, 2, 60):
        first = GatewayState.objects.current().now
        clock.now += timedelta(minutes=ahead)
        deliver()
        clock.now = first
        until = deliver().resumes_at
        before = sent()[conf.SOURCE]
        assert monitoring.observe().time_to_empty >= until - clock.now - SECOND
        clock.now = until - SECOND
        assert deliver().halted == "pace"
        assert sent()[conf.SOURCE] == before
        clock.now = until
        deliver()
        assert sent()[conf.SOURCE] == before + 4


def test_send_now_keeps_the_pace_and_the_rest_waits(settings, clock):
    settings.MOBILON_SMS_RATE = "2/m"
    pks = [message.pk for message in write(3, send_at=START + timedelta(days=1))]
    assert send_now(pks).statuses == {"accepted": 2}
    report = send_now(pks)
    assert (report.halted, report.claimed) == ("pace", 0)
    assert report.resumes_at == START + timedelta(minutes=1)


def test_without_a_pace_nothing_is_kept_of_one(clock):
    write(3)
    deliver()
    assert not SenderPace.objects.exists()


def test_trouble_with_the_gateway_is_charged_like_anything_claimed(settings, clock, sandbox):
    settings.MOBILON_SMS_BACKEND = "django_mobilon_sms.gateway.MobilonGateway"
    settings.MOBILON_SMS_RATE = "10/m"
    sandbox.fault("http", code=503)
    write(3)
    deliver()
    assert SenderPace.objects.get().used == 3


# What people see


def test_command_says_when_it_goes_on(settings, clock, worker):
    settings.MOBILON_SMS_RATE = "2/m"
    settings.TIME_ZONE = "UTC"
    write(3)
    code, output = worker("--no-refresh")
    assert code == 0
    assert output.splitlines() == [
        "The pace of the line is reached; sending continues at 01/01/2040 00:01.",
        "Messages: 2 accepted",
    ]


def test_time_to_empty_is_what_the_pace_says(settings, clock):
    settings.MOBILON_SMS_RATE = {A: "10/m", B: "1/h"}
    write(35, source=A)
    clock.begin(1)
    assert monitoring.observe().time_to_empty.total_seconds() == pytest.approx(180, abs=1)
    deliver()
    assert monitoring.observe().time_to_empty.total_seconds() == pytest.approx(180, abs=1)
    write(2, source=B)
    SmsMessage.objects.filter(source=B).change(due_at=START)
    # The second of them begins with the second hour.
    assert monitoring.observe().time_to_empty.total_seconds() == pytest.approx(59 * 60, abs=1)
