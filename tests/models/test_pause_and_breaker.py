"""The state of the gateway: pause, breaker and probe."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from django_mobilon_sms.models import GatewayState, SmsBatch
from django_mobilon_sms.worker.run_report import halt_of
from tests.models.factories import (
    FUTURE,
    GUID,
    HOUR,
    PAST,
    batch,
)
from tests.support.lock_waits import in_threads, waiting
from tests.support.workers import PATIENCE, wait_until

pytestmark = [pytest.mark.databases, pytest.mark.django_db]

SOON = timezone.now() + HOUR / 2


def state(**fields) -> GatewayState:
    GatewayState.objects.current()
    GatewayState.objects.update(**fields)
    return GatewayState.objects.current()


def batch_at(seen: GatewayState) -> SmsBatch:
    """Insert a batch that is claimed in this state."""
    return batch(breaker_changes=seen.breaker_changes)


def test_state_is_one_row_that_the_first_read_inserts():
    assert GatewayState.objects.count() == 0
    first = GatewayState.objects.current()
    assert (first.pk, str(first), first.failures) == (1, "Sending is on", 0)
    assert first.changed_at <= first.now <= GatewayState.objects.current().now
    assert GatewayState.objects.count() == 1


def test_pause_keeps_the_first_person_until_it_ends():
    olga, ivan = (User.objects.create(username=name) for name in ("olga", "ivan"))
    assert GatewayState.objects.pause(by=olga) == 1
    assert GatewayState.objects.pause(by=ivan) == 0
    paused = GatewayState.objects.current()
    assert (paused.paused_by, paused.paused_at <= paused.now) == (olga, True)
    assert GatewayState.objects.resume() == 1
    assert GatewayState.objects.resume() == 0
    resumed = GatewayState.objects.current()
    assert (resumed.paused_by, resumed.paused_at) == (None, None)


def test_blocked_gateway_may_be_tried_at_once():
    state()
    assert GatewayState.objects.try_now() == 0
    before = state(blocked_until=FUTURE, probe=uuid4(), probe_until=FUTURE, failures=3)
    assert GatewayState.objects.try_now() == 1
    after = GatewayState.objects.current()
    assert before.now <= after.blocked_until <= after.now
    assert (after.probe, after.probe_until, after.failures) == (None, None, 3)
    assert GatewayState.objects.win_probe(batch(), HOUR)


@pytest.mark.parametrize(
    ("fields", "won"),
    [
        ({}, False),
        ({"blocked_until": SOON}, False),
        ({"blocked_until": PAST}, True),
        ({"blocked_until": PAST, "probe": GUID, "probe_until": SOON}, False),
        ({"blocked_until": PAST, "probe": GUID, "probe_until": PAST}, True),
        # Later than any wait can end: a clock that ran ahead has written it.
        ({"blocked_until": FUTURE}, True),
        ({"blocked_until": FUTURE, "probe": GUID, "probe_until": SOON}, False),
        ({"blocked_until": PAST, "probe": GUID, "probe_until": FUTURE}, True),
        # A little later than a lease from now: the worker has a longer one, or a clock went back.
        ({"blocked_until": PAST, "probe": GUID, "probe_until": timezone.now() + 1.5 * HOUR}, False),
    ],
)
def test_one_batch_wins_the_probe_after_the_wait(settings, fields, won):
    settings.MOBILON_SMS_LEASE = HOUR.total_seconds()
    seen = state(**fields)
    assert (halt_of(seen) is None) is (won or not fields)
    first, second = batch(), batch()
    assert GatewayState.objects.win_probe(first, HOUR) is won
    assert not GatewayState.objects.win_probe(second, HOUR)
    if won:
        now = GatewayState.objects.current()
        assert now.probe == first.pk
        assert timedelta() < now.probe_until - now.now <= HOUR


def test_trouble_blocks_for_its_wait_and_ends_the_probe():
    before = state(changed_at=PAST, failures=2, probe=GUID, probe_until=FUTURE)
    assert GatewayState.objects.trip(batch_at(before), wait=HOUR, error_code="timeout") == 1
    after = GatewayState.objects.current()
    assert after.blocked_until - after.changed_at == HOUR
    assert (after.failures, after.probe, after.probe_until) == (3, None, None)


def test_good_reply_clears_everything_but_the_pause():
    GatewayState.objects.pause(by=None)
    before = state(
        changed_at=PAST, failures=2, blocked_until=FUTURE, probe=GUID, probe_until=FUTURE
    )
    assert GatewayState.objects.clear(batch_at(before)) == 1
    after = GatewayState.objects.current()
    assert (after.blocked_until, after.failures, after.probe) == (None, 0, None)
    assert after.changed_at > PAST
    assert after.paused_at is not None


@pytest.mark.parametrize("changed_at", [PAST, FUTURE])
def test_batch_claimed_before_the_last_change_changes_nothing(changed_at):
    states = GatewayState.objects
    changes = [
        lambda batch: states.trip(batch, wait=HOUR / 2, error_code="timeout"),
        lambda batch: states.try_now(),
        states.clear,
    ]
    for change in changes:
        claimed = batch_at(state(changed_at=changed_at))
        assert change(claimed) == 1
        changed = states.values().get()
        assert states.trip(claimed, wait=HOUR, error_code="timeout") == states.clear(claimed) == 0
        assert states.values().get() == changed


@pytest.mark.django_db(transaction=True)
def test_process_that_waited_for_the_probe_of_another_does_not_win_it_too():
    """Its statement began first, so the end of the other's probe is later than it expects."""
    if connection.vendor == "sqlite":
        pytest.skip("one lock for all, which a statement takes before it reads the time")
    state(blocked_until=PAST)
    first, second = batch(), batch()
    locked = threading.Event()

    def win_while_another_waits() -> bool:
        with transaction.atomic():
            GatewayState.objects.select_for_update().get(pk=1)
            locked.set()
            wait_until(waiting)
            return GatewayState.objects.win_probe(first, HOUR)

    with in_threads() as start:
        won = start(win_while_another_waits)
        assert locked.wait(PATIENCE)
        assert not GatewayState.objects.win_probe(second, HOUR)
        assert won.result(PATIENCE)
