"""Receivers of `status_changed` in a run, however slow: their time counts against no lease."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from django_mobilon_sms.outbox import send_sms
from django_mobilon_sms.signals import status_changed
from django_mobilon_sms.worker import deliver, refresh, run, send_now, sweep_leftovers
from tests.support.messages import claim, write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def connect():
    """Connects a receiver of messages until the end of the test."""
    connected = []

    def connect(receiver):
        connected.append(receiver)
        status_changed.connect(receiver, weak=False)

    yield connect
    for receiver in connected:
        status_changed.disconnect(receiver)


def statuses():
    return list(SmsMessage.objects.order_by("pk").values_list("status", flat=True))


def outlast_leases(**kwargs):
    """Take longer than every lease, while another worker sweeps."""
    open_batches = SmsBatch.objects.filter(outcome="")
    open_batches.update(lease_until=db_now() - timedelta(seconds=1))
    sweep_leftovers()


def test_receiver_that_takes_longer_than_a_lease_makes_nothing_unknown(sandbox, connect):
    messages = write(9)
    heard = []
    # All four under way before one is answered, so that results wait while others are recorded.
    together = threading.Barrier(4, timeout=60)
    sandbox.on_request = lambda exchange: len(sandbox.posts) > 1 and together.wait()
    connect(outlast_leases)
    connect(lambda message, old, new, **kwargs: heard.append((message.pk, old, new)))
    report = deliver(batch_size=1, concurrency=5)
    assert report.statuses == {"accepted": 9}
    assert statuses() == ["accepted"] * 9
    assert sorted(heard) == [(message.pk, "sending", "accepted") for message in messages]
    sandbox.on_request = None
    [message] = write()
    assert send_now([message.pk]).statuses == {"accepted": 1}
    assert heard[9:] == [(message.pk, "sending", "accepted")]


def test_everything_under_way_is_recorded_before_a_receiver_is_called(sandbox, connect):
    write(5)
    recorded = []
    connect(lambda **kwargs: recorded.append(statuses().count("accepted")))
    assert deliver(batch_size=1, concurrency=5).statuses == {"accepted": 5}
    assert recorded == [5] * 5


def test_calls_that_pile_up_are_made_before_more_is_claimed(sandbox, connect, monkeypatch):
    monkeypatch.setattr(run, "MOST_CALLS", 2)
    write(6)
    posts = []
    connect(lambda **kwargs: posts.append(len(sandbox.posts)))
    assert deliver(batch_size=1, concurrency=1).statuses == {"accepted": 6}
    assert posts == [3] * 3 + [6] * 3  # the third was under way when there were two calls


def test_claims_that_a_lost_database_ends_still_call_the_receivers(sandbox, connect, monkeypatch):
    write(2)
    heard = []
    connect(lambda new, **kwargs: heard.append(new))
    claim_next, calls = run.claim_next, []

    def claim_once(*args, **options):
        calls.append(args)
        if len(calls) > 1:
            raise RuntimeError("the second claim")
        return claim_next(*args, **options)

    monkeypatch.setattr(run, "claim_next", claim_once)
    with pytest.raises(RuntimeError, match="the second claim"):
        deliver(batch_size=1, concurrency=1)
    assert heard == ["accepted"]


def test_change_that_a_receiver_makes_calls_receivers_too(sandbox, connect):
    [later] = write(send_at=timezone.now() + timedelta(hours=1))
    write()
    heard = []

    def cancel_the_other(message, new, **kwargs):
        heard.append((message.pk == later.pk, new))
        SmsMessage.objects.filter(pk=later.pk).cancel()

    connect(cancel_the_other)
    deliver()
    assert heard == [(False, "accepted"), (True, "cancelled")]


def test_other_threads_call_receivers_at_once(sandbox, connect):
    messages = write(2, send_at=timezone.now() + timedelta(hours=1))
    heard = []
    connect(lambda message, **kwargs: heard.append(message.pk))

    def cancel_one(exchange):
        SmsMessage.objects.filter(pk=messages[0].pk).cancel()
        connection.close()  # of the gateway's thread
        heard.append("answered")

    sandbox.on_request = cancel_one
    sent = send_sms("+79135292926", "Ваш заказ готов")
    deliver()
    assert heard == [messages[0].pk, "answered", sent.pk]


def test_worker_is_seen_while_receivers_hear_of_reported_statuses(sandbox, connect):
    write(3)
    deliver()
    SmsBatch.objects.update(next_check_at=db_now())
    seen = []
    connect(lambda new, **kwargs: seen.append(new))
    refresh(alive=lambda: seen.append("alive"))
    assert "".join(seen).endswith("alivesent" * 3)


def test_sweep_calls_receivers_after_each_commit(connect):
    heard = []
    connect(lambda new, **kwargs: heard.append((new, statuses())))
    [message] = write()
    batch = SmsBatch.objects.create(worker="elsewhere:1", lease_until=db_now() - timedelta(hours=1))
    claim(batch, message)
    sweep_leftovers()
    assert heard == [("unknown", ["unknown"])]
