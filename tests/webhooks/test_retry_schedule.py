"""When an event is tried again, and when a consumer is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_mobilon_sms.models import FAILING_AFTER, GIVE_UP_AFTER
from django_mobilon_sms.webhooks.retry_schedule import LONGEST_PAUSE, next_delay, pause_after

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 5), (2, 300), (3, 1800), (4, 7200), (5, 18_000), (6, 36_000), (7, 50_400), (8, 72_000)],
)
def test_delays_grow_and_differ_by_chance(attempts, seconds):
    found = {next_delay(attempts, timedelta()) for _ in range(20)}
    assert len(found) > 1
    assert all(0.8 * seconds * SECOND <= delay <= 1.2 * seconds * SECOND for delay in found)


def test_last_attempt_is_made_when_three_days_are_over():
    assert next_delay(8, GIVE_UP_AFTER - HOUR) == HOUR
    assert next_delay(9, GIVE_UP_AFTER) is None
    assert next_delay(99, GIVE_UP_AFTER + HOUR) is None


def test_attempts_of_an_event_end_in_three_days():
    passed, attempts = timedelta(), 0
    while (delay := next_delay(attempts := attempts + 1, passed)) is not None:
        passed += delay
    assert passed == GIVE_UP_AFTER
    assert 9 <= attempts <= 12


def test_consumer_gets_no_pause_before_it_has_failed_several_times():
    assert [pause_after(failures) for failures in range(FAILING_AFTER)] == [None] * FAILING_AFTER
    pauses = [pause_after(FAILING_AFTER + n) for n in range(20)]
    assert pauses[0] <= 6 * SECOND
    assert 0.8 * LONGEST_PAUSE <= pauses[-1] <= 1.2 * LONGEST_PAUSE
