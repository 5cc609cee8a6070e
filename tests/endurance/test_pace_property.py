"""The pace as a property: no windows in a row take more than their limits, and none less."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connections
from django.db.models import Sum
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as hypothesis_settings

from django_mobilon_sms.choices import Status
from django_mobilon_sms.conf import conf
from django_mobilon_sms.limits import pace
from django_mobilon_sms.models import GatewayState, SenderPace, SmsBatch, SmsMessage
from django_mobilon_sms.testing import MemoryBackend
from django_mobilon_sms.worker import deliver
from tests.support.cron import START, Clock
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

TEXTS = {segments: "a" * length for segments, length in ((1, 10), (2, 200), (3, 400), (10, 1500))}


@pytest.fixture(autouse=True)
def memory(settings):
    settings.MOBILON_SMS_BACKEND = "django_mobilon_sms.testing.MemoryBackend"
    MemoryBackend.sent.clear()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("django_mobilon_sms.database.clock.Now", clock)
    GatewayState.objects.current()
    return clock


def sent():
    """Return the number of segments that went out."""
    claimed = SmsMessage.objects.exclude(status=Status.PENDING)
    return claimed.aggregate(sum=Sum("segments", default=0))["sum"]


def sent_in(seconds):
    """Return the segments claimed in each window, by its number."""
    segments = Counter()
    rows = SmsMessage.objects.exclude(batch=None).values_list("batch__created_at", "segments")
    for at, count in rows:
        segments[pace.window_at(at, seconds).number] += count
    return segments


def assert_at_most(segments, limit):
    """No windows in a row took more than their limits, and one message beyond them."""
    first, last = min(segments), max(segments)
    for start in range(first, last + 1):
        total = 0
        for number in range(start, last + 1):
            total += segments[number]
            assert total <= (number - start + 1) * limit + conf.MAX_SEGMENTS - 1


@hypothesis_settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    limit=strategies.integers(1, 40),
    messages=strategies.lists(strategies.sampled_from(list(TEXTS)), min_size=1, max_size=40),
    size=strategies.sampled_from([1, 7, 100]),
    polls=strategies.lists(strategies.floats(0, 59), min_size=1, max_size=3),
    restarts=strategies.booleans(),
)
def test_no_windows_take_more_and_none_less_while_work_waits(
    settings, clock, limit, messages, size, polls, restarts
):
    settings.MOBILON_SMS_RATE = f"{limit}/m"
    for rows in (SmsMessage, SmsBatch, SenderPace):
        rows.objects.all()._raw_delete(using=SmsMessage.objects.for_write().db)
    clock.now = clock.minute = START
    for segments in messages:
        write(1, text=TEXTS[segments])
    SmsMessage.objects.all().change(due_at=START - timedelta(days=1))
    for minute in range(200):
        for second in sorted(polls):
            clock.now = START + timedelta(minutes=minute, seconds=second)
            deliver(batch_size=size)
            if restarts:
                connections.close_all()
        waits = SmsMessage.objects.filter(status=Status.PENDING).exists()
        total = sent()
        if not waits:
            break
        # All but what is kept for urgent messages, of which there are none.
        assert total >= (minute + 1) * pace.Limit(60, limit).for_others
    assert not waits
    assert_at_most(sent_in(60), limit)


def test_workers_at_once_keep_the_pace_together(settings):
    """In real time, so that windows end while claims are under way."""
    settings.MOBILON_SMS_RATE = "40/s"
    write(120)
    write(20, text=TEXTS[3])
    failures = []

    def work():
        try:
            while SmsMessage.objects.filter(status=Status.PENDING).exists():
                deliver(batch_size=7)
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert sent() == 180
    assert Counter(sms.guid for sms in MemoryBackend.sent).most_common(1)[0][1] == 1
    assert_at_most(sent_in(1), 40)
