"""The state of the gateway: pause, breaker and probe."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from django_mobilon_sms.models import GatewayState
from tests.models.factories import (
    FUTURE,
    GUID,
    HOUR,
    PAST,
    batch,
)

pytestmark = [pytest.mark.databases, pytest.mark.django_db]


def state(**fields) -> GatewayState:
    GatewayState.objects.current()
    GatewayState.objects.update(**fields)
    return GatewayState.objects.current()


def test_state_is_one_row_that_the_first_read_inserts():
    assert GatewayState.objects.count() == 0
    first = GatewayState.objects.current()
    assert (first.pk, str(first), first.failures) == (1, "ready", 0)
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
        ({"blocked_until": FUTURE}, False),
        ({"blocked_until": PAST}, True),
        ({"blocked_until": PAST, "probe": GUID, "probe_until": FUTURE}, False),
        ({"blocked_until": PAST, "probe": GUID, "probe_until": PAST}, True),
    ],
)
def test_one_batch_wins_the_probe_after_the_wait(fields, won):
    state(**fields)
    first, second = batch(), batch()
    assert GatewayState.objects.win_probe(first, HOUR) is won
    assert not GatewayState.objects.win_probe(second, HOUR)
    if won:
        now = GatewayState.objects.current()
        assert now.probe == first.pk
        assert timedelta() < now.probe_until - now.now <= HOUR


def test_trouble_blocks_for_its_wait_and_ends_the_probe():
    state(changed_at=PAST, failures=2, probe=GUID, probe_until=FUTURE)
    assert GatewayState.objects.trip(batch(), wait=2 * HOUR) == 1
    after = GatewayState.objects.current()
    assert after.blocked_until - after.changed_at == 2 * HOUR
    assert (after.failures, after.probe, after.probe_until) == (3, None, None)


def test_good_reply_clears_everything_but_the_pause():
    GatewayState.objects.pause(by=None)
    state(changed_at=PAST, failures=2, blocked_until=FUTURE, probe=GUID, probe_until=FUTURE)
    assert GatewayState.objects.clear(batch()) == 1
    after = GatewayState.objects.current()
    assert (after.blocked_until, after.failures, after.probe) == (None, 0, None)
    assert after.changed_at > PAST
    assert after.paused_at is not None


def test_batch_begun_before_the_last_change_changes_nothing():
    old = batch(created_at=PAST)
    before = state(changed_at=PAST + HOUR, failures=2, blocked_until=FUTURE)
    assert GatewayState.objects.trip(old, wait=HOUR) == 0
    assert GatewayState.objects.clear(old) == 0
    after = GatewayState.objects.current()
    assert (after.failures, after.blocked_until) == (2, before.blocked_until)
