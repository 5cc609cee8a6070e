"""The conditional updates of messages, and the signal of their changes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils.connection import ConnectionDoesNotExist

from django_mobilon_sms.choices import ErrorCode, Resolution, Status
from django_mobilon_sms.models import RESEND_MARGIN, GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.signals import status_changed
from tests.models.factories import (
    FUTURE,
    HOUR,
    PAST,
    batch,
    in_status,
    message,
    rows,
)
from tests.support.messages import claim, write

DELIVERED = {1: "sent", 2: "delivered"}

pytestmark = [pytest.mark.databases, pytest.mark.django_db]


OTHERS = sorted(set(Status) - {Status.PENDING})


def test_pending_message_is_cancelled():
    message(attempts=1)
    assert SmsMessage.objects.all().cancel() == 1
    assert rows("status", "error_code", "resends") == [("cancelled", "", 0)]
    assert SmsMessage.objects.all().cancel() == 0


def test_cancelled_resend_may_have_gone_out_and_is_unknown():
    message(resends=1)
    message()
    assert SmsMessage.objects.all().cancel() == 2
    assert rows("status", "error_code") == [("unknown", "cancelled"), ("cancelled", "")]


@pytest.mark.parametrize("status", OTHERS)
def test_message_that_is_not_pending_is_not_cancelled_or_claimed(status):
    in_status(status)
    assert SmsMessage.objects.all().cancel() == 0
    assert claim(batch()) == 0
    assert rows("status") == [(status,)]


@pytest.mark.parametrize("status", OTHERS)
def test_message_that_is_not_pending_does_not_expire(status):
    in_status(status, send_at=PAST, expires_at=PAST + HOUR)
    assert sum(SmsMessage.objects.expire().values()) == 0
    assert rows("status") == [(status,)]


def test_pending_message_past_its_expiry_expires():
    message(send_at=PAST, expires_at=PAST + HOUR)
    message(send_at=PAST, expires_at=PAST + HOUR, resends=2)
    message(expires_at=FUTURE)
    message()
    assert SmsMessage.objects.expire() == {Status.EXPIRED: 1, Status.UNKNOWN: 1}
    assert rows("status", "error_code") == [
        ("expired", ""),
        ("unknown", "expired"),
        ("pending", ""),
        ("pending", ""),
    ]


def test_claim_takes_pending_messages_that_have_not_expired():
    message(send_at=PAST, expires_at=PAST + HOUR)
    message(expires_at=FUTURE)
    mine = batch()
    assert claim(mine) == 1
    assert rows("status", "batch") == [("pending", None), ("sending", mine.pk)]


def test_unknown_message_is_resent_under_its_guid():
    user = User.objects.create(username="olga")
    row = message(status="unknown", error_code="timeout", due_at=FUTURE, attempts=2)
    assert SmsMessage.objects.all().resend(by=user) == 1
    fields = ("guid", "status", "error_code", "resends", "attempts", "resolution", "resent_by")
    assert rows(*fields) == [(row.guid, "pending", "", 1, 2, "", user.pk)]
    assert SmsMessage.objects.due().filter(resent_at__lte=db_now()).count() == 1
    assert SmsMessage.objects.all().resend(by=user) == 0


def test_who_resent_cancelled_and_decided_are_all_kept():
    olga, ivan, anna = (User.objects.create(username=name) for name in ("olga", "ivan", "anna"))
    message(status="unknown")
    assert SmsMessage.objects.resend(by=olga) == 1
    assert SmsMessage.objects.cancel(by=ivan) == 1
    assert SmsMessage.objects.resolve(Resolution.GIVEN_UP, by=anna) == 1
    fields = ("status", "resent_by", "cancelled_by", "resolved_by")
    assert rows(*fields) == [("unknown", olga.pk, ivan.pk, anna.pk)]
    times = {f"{name}_at__lte": db_now() for name in ("resent", "cancelled", "resolved")}
    assert SmsMessage.objects.filter(**times).count() == 1
    for user in (olga, ivan, anna):
        user.delete()
    assert rows(*fields) == [("unknown", None, None, None)]


@pytest.mark.parametrize(
    ("expires_at", "kept"), [(PAST + HOUR, None), (FUTURE, FUTURE), (None, None)]
)
def test_resend_clears_only_an_expiry_that_has_passed(expires_at, kept):
    message(status="unknown", send_at=PAST, expires_at=expires_at)
    assert SmsMessage.objects.all().resend(by=None) == 1
    assert rows("expires_at") == [(kept,)]


@pytest.mark.parametrize(
    ("fields", "resent"),
    [
        ({"lease_until": FUTURE}, 0),
        ({"lease_until": PAST}, 1),
        ({"lease_until": FUTURE, "outcome": "no_proof", "closed_at": PAST}, 1),
        ({"lease_until": FUTURE, "outcome": "lost", "closed_at": PAST}, 0),
        ({"lease_until": PAST, "outcome": "lost", "closed_at": PAST}, 1),
    ],
)
def test_message_whose_batch_may_be_under_way_is_not_resent(fields, resent):
    message(status="unknown", batch=batch(**fields))
    assert SmsMessage.objects.resendable().count() == resent
    assert SmsMessage.objects.all().resend(by=None) == resent
    assert rows("resends") == [(resent,)]


@pytest.mark.parametrize("fields", [{}, {"outcome": "lost", "closed_at": PAST}])
def test_resend_waits_for_the_lease_and_a_margin(fields):
    lease_over, waited = db_now() - RESEND_MARGIN / 2, db_now() - RESEND_MARGIN
    message(status="unknown", batch=batch(lease_until=lease_over, **fields))
    assert SmsMessage.objects.all().resend(by=None) == 0
    SmsBatch.objects.update(lease_until=waited)
    assert SmsMessage.objects.all().resend(by=None) == 1


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.UNKNOWN}))
def test_only_unknown_messages_are_resent_or_resolved(status):
    in_status(status)
    assert SmsMessage.objects.all().resend(by=None) == 0
    assert SmsMessage.objects.all().resolve(Resolution.SENT, by=None) == 0
    assert rows("status", "resends", "resolution") == [(status, 0, "")]


@pytest.mark.parametrize("resolution", Resolution)
def test_decision_is_recorded_once_and_the_status_stays(resolution):
    olga, ivan = (User.objects.create(username=name) for name in ("olga", "ivan"))
    message(status="unknown", error_code="timeout")
    assert SmsMessage.objects.all().resolve(resolution, by=olga) == 1
    assert SmsMessage.objects.all().resolve(Resolution.SENT, by=ivan) == 0
    assert SmsMessage.objects.all().resend(by=ivan) == 0
    fields = ("status", "error_code", "resolution", "resolved_by")
    assert rows(*fields) == [("unknown", "timeout", resolution, olga.pk)]
    assert SmsMessage.objects.filter(resolved_at__lte=db_now()).count() == 1


def test_held_message_is_unknown_with_its_reason():
    message()
    assert SmsMessage.objects.all().hold(ErrorCode.HELD) == 1
    assert rows("status", "error_code") == [("unknown", "held")]


def test_sent_is_the_last_status_where_no_code_means_delivered(settings):
    row = in_status(Status.SENT)
    assert SmsMessage.objects.check_soon() == 0
    assert SmsMessage.objects.ended().get() == row
    settings.MOBILON_SMS_STATUS_REPLIES = DELIVERED
    assert SmsMessage.objects.check_soon() == 1
    assert not SmsMessage.objects.ended().exists()


@pytest.mark.parametrize(
    ("status", "next_check_at", "checked"),
    [
        (Status.ACCEPTED, FUTURE, 1),
        (Status.SENT, FUTURE, 1),
        (Status.ACCEPTED, None, 0),
        (Status.SENT, None, 0),
        (Status.PENDING, None, 0),
        (Status.DELIVERED, None, 0),
        (Status.UNKNOWN, FUTURE, 0),
    ],
)
def test_only_a_status_that_is_still_queried_is_queried_soon(
    settings, status, next_check_at, checked
):
    settings.MOBILON_SMS_STATUS_REPLIES = DELIVERED
    in_status(status, batch=batch(next_check_at=next_check_at))
    assert SmsMessage.objects.all().check_soon() == checked
    assert SmsBatch.objects.checkable().count() == checked


def test_accepted_messages_get_their_own_ids_and_codes():
    mine, under_way = batch(), {"status": Status.SENDING, "error_code": "timeout"}
    one, two, three = (message(batch=mine, **under_way) for _ in range(3))
    other = message(batch=batch(), **under_way)
    ids = {one.pk: "id 1", two.pk: "id'\"%s\\<ids>", other.pk: "id 3"}
    codes = {one.pk: 0, two.pk: None, other.pk: 0}
    assert SmsMessage.objects.accept(mine, ids, codes) == 2
    assert rows("status", "gateway_id", "gateway_status", "error_code") == [
        ("accepted", "id 1", 0, ""),
        ("accepted", "id'\"%s\\<ids>", None, ""),
        ("sending", "", None, "timeout"),
        ("sending", "", None, "timeout"),
    ]
    assert three.pk not in ids


@pytest.mark.parametrize(
    ("status", "fields", "accepted"),
    [
        (Status.SENDING, {}, 1),
        (Status.UNKNOWN, {}, 1),
        (Status.PENDING, {"resends": 1}, 1),
        (Status.PENDING, {}, 0),
        (Status.CANCELLED, {}, 0),
        (Status.FAILED, {}, 0),
        (Status.SENT, {}, 0),
        (Status.DELIVERED, {}, 0),
    ],
)
def test_acceptance_counts_only_where_the_message_may_be_out(status, fields, accepted):
    row = in_status(status, **{"batch": batch()} | fields)
    assert SmsMessage.objects.accept(row.batch, {row.pk: "id"}, {row.pk: 0}) == accepted
    assert rows("status") == [("accepted" if accepted else status,)]


def test_undecided_messages_are_under_way_or_lost():
    sending, lost = in_status(Status.SENDING), message(status="unknown", error_code="lost")
    message(status="unknown", error_code="lost", resolution="sent")
    message(status="unknown", error_code="timeout")
    message()
    assert set(SmsMessage.objects.undecided()) == {sending, lost}


class ReadsFromReplica:
    def db_for_read(self, model, **hints):
        return "replica"

    def db_for_write(self, model, **hints):
        return "default"


def test_changes_read_and_write_where_the_router_writes(settings):
    message()
    message(status="unknown")
    settings.DATABASE_ROUTERS = [ReadsFromReplica()]
    messages = SmsMessage.objects.all()
    with pytest.raises(ConnectionDoesNotExist, match="replica"):
        messages.count()
    assert messages.resend(by=None) == 1
    assert messages.expire() == {Status.EXPIRED: 0, Status.UNKNOWN: 0}
    assert messages.check_soon() == 0
    assert messages.cancel() == 2
    assert messages.resolve(Resolution.SENT, by=None) == 1
    states = GatewayState.objects
    assert (states.pause(by=None), states.resume(), states.try_now()) == (1, 1, 0)
    assert SmsBatch.objects.lost().count() == SmsBatch.objects.unapplied().count() == 0


# The signal


@pytest.fixture
def signals():
    """The signals sent: primary key, old status, new status."""
    heard = []

    def hear(sender, message, old, new, **kwargs):
        assert (sender, message.status) == (SmsMessage, new)
        heard.append((message.pk, old, new))

    status_changed.connect(hear, weak=False)
    yield heard
    status_changed.disconnect(hear)


@pytest.mark.django_db(transaction=True)
def test_signal_is_sent_only_after_the_commit(signals):
    one, two = write(2)
    with transaction.atomic():
        assert SmsMessage.objects.filter(pk=one.pk).cancel() == 1
        assert signals == []
    assert signals == [(one.pk, "pending", "cancelled")]
    with transaction.atomic():
        assert SmsMessage.objects.filter(pk=two.pk).cancel() == 1
        transaction.set_rollback(True)
    assert signals == [(one.pk, "pending", "cancelled")]
    assert rows("status") == [("cancelled",), ("pending",)]


@pytest.mark.django_db(transaction=True)
def test_every_change_but_pending_to_sending_sends_a_signal(signals):
    [row] = write()
    messages = SmsMessage.objects.filter(pk=row.pk)
    mine = batch(lease_until=PAST)
    claim(mine)
    messages.hold(ErrorCode.LOST)
    messages.resend(by=None)
    messages.accept(mine, {row.pk: "id"}, {row.pk: 0})
    messages.check_soon()
    assert signals == [
        (row.pk, "sending", "unknown"),
        (row.pk, "unknown", "pending"),
        (row.pk, "pending", "accepted"),
    ]


@pytest.mark.django_db(transaction=True)
def test_two_changes_in_one_transaction_send_two_signals(signals):
    [row] = write()
    with transaction.atomic():
        SmsMessage.objects.all().hold(ErrorCode.HELD)
        SmsMessage.objects.all().resend(by=None)
    assert signals == [(row.pk, "pending", "unknown"), (row.pk, "unknown", "pending")]


@pytest.mark.django_db(transaction=True)
def test_status_that_stays_sends_no_signal(signals):
    message(status="unknown", error_code="lost")
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    SmsMessage.objects.resolve(Resolution.SENT, by=None)
    assert signals == []


@pytest.mark.django_db(transaction=True)
def test_message_that_did_not_change_sends_no_signal(signals):
    one, _ = message(), message(status="failed")
    assert SmsMessage.objects.all().cancel() == 1
    assert SmsMessage.objects.all().cancel() == 0
    assert signals == [(one.pk, "pending", "cancelled")]


@pytest.mark.django_db(transaction=True)
def test_receiver_that_raises_prevents_no_change(signals, caplog):
    def fail(**kwargs):
        raise RuntimeError

    status_changed.connect(fail, sender=SmsMessage)
    try:
        write(2)
        assert SmsMessage.objects.all().cancel() == 2
    finally:
        status_changed.disconnect(fail, sender=SmsMessage)
    assert rows("status") == [("cancelled",)] * 2
    assert len(signals) == 2


@pytest.mark.django_db(transaction=True)
def test_change_by_two_at_the_same_time_sends_one_signal(signals):
    messages = write(20)
    start = threading.Barrier(2, timeout=30)

    def cancel(_):
        try:
            connection.ensure_connection()
            start.wait()
            return sum(SmsMessage.objects.filter(pk=row.pk).cancel() for row in messages)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(cancel, range(2))) == 20
    assert sorted(signals) == [(row.pk, "pending", "cancelled") for row in messages]
