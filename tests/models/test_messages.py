"""Rows are written once; everything after that is a conditional update, on every database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.utils.connection import ConnectionDoesNotExist

from django_mobilon_sms.choices import ErrorCode, Outcome, Resolution, Status
from django_mobilon_sms.exceptions import MessageIsWritten
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.signals import status_changed
from tests.support.messages import claim, write

pytestmark = [pytest.mark.databases, pytest.mark.django_db]

HOUR = timedelta(hours=1)
PAST = datetime(2020, 1, 1, tzinfo=timezone.utc)
FUTURE = datetime(2900, 1, 1, tzinfo=timezone.utc)
GUID = UUID("5f0c1c1e-6c1f-4a0e-9d8a-0f4b7a5f1c11")
ACCEPTED = {"gateway_id": "58adc4b8", "accepted_at": PAST}


def message(**fields) -> SmsMessage:
    """A row in any state, whatever way led there."""
    filled = {"number": "+79135292926", "source": "89234560000", "text": "Ваш заказ готов"}
    row = SmsMessage(**filled | {"segments": 1} | fields)
    row.save()
    return row


def batch(**fields) -> SmsBatch:
    return SmsBatch.objects.create(**{"worker": "w:1", "lease_until": FUTURE} | fields)


def rows(*fields) -> list:
    return list(SmsMessage.objects.order_by("pk").values_list(*fields))


def in_status(status: Status, **fields) -> SmsMessage:
    """A row as it is found in this status."""
    needs = {
        Status.SENDING: lambda: {"batch": batch()},
        Status.ACCEPTED: lambda: ACCEPTED | {"next_check_at": FUTURE},
        Status.SENT: lambda: ACCEPTED | {"next_check_at": FUTURE},
        Status.DELIVERED: lambda: ACCEPTED,
    }
    return message(status=status, **needs.get(status, dict)() | fields)


# Written once


def test_existing_row_is_not_saved_again():
    [row] = write()
    row.text = "другой"
    for call in (row.save, lambda: row.save(update_fields=["text"])):
        with pytest.raises(MessageIsWritten) as raised:
            call()
    assert str(raised.value) == (
        "A message is written once and never edited. Cancel it while it is pending, "
        "or copy it into a new one."
    )
    assert rows("text") == [("Ваш заказ готов",)]


@pytest.mark.parametrize(
    "update",
    [
        lambda row: SmsMessage.objects.update(text="другой"),
        lambda row: SmsMessage.objects.filter(pk=row.pk).update(status="sent"),
        lambda row: SmsMessage.objects.bulk_update([row], ["text"]),
        lambda row: SmsMessage.objects.update_or_create(pk=row.pk, defaults={"text": "другой"}),
    ],
)
def test_rows_are_not_updated_past_the_verbs(update):
    [row] = write()
    with pytest.raises(MessageIsWritten):
        update(row)
    assert rows("status", "text") == [("pending", "Ваш заказ готов")]


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (Status.CANCELLED, {}),
        (Status.EXPIRED, {}),
        (Status.FAILED, {}),
        (Status.DELIVERED, {}),
        (Status.UNKNOWN, {"resolution": "given_up"}),
        (Status.ACCEPTED, {"next_check_at": None}),
        (Status.SENT, {"next_check_at": None}),
    ],
)
def test_ended_message_is_deleted(status, fields):
    one, two = in_status(status, **fields), in_status(status, **fields)
    assert set(SmsMessage.objects.ended()) == {one, two}
    assert one.delete() == (1, {"mobilon_sms.SmsMessage": 1})
    assert SmsMessage.objects.all().delete() == (1, {"mobilon_sms.SmsMessage": 1})


@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.SENDING, Status.UNKNOWN, Status.ACCEPTED, Status.SENT]
)
def test_message_that_has_not_ended_is_not_deleted_nor_anything_with_it(status):
    row, _ended = in_status(status), in_status(Status.FAILED)
    for delete in (row.delete, SmsMessage.objects.all().delete):
        with pytest.raises(models.ProtectedError) as raised:
            delete()
        assert raised.value.args == ("Only ended messages can be deleted.", {row})
    assert SmsMessage.objects.count() == 2


@pytest.mark.parametrize("status", [Status.SENDING, Status.UNKNOWN, Status.FAILED])
def test_batch_is_kept_while_a_message_went_with_it(status):
    went = batch()
    in_status(status, batch=went)
    for delete in (went.delete, SmsBatch.objects.all().delete):
        with pytest.raises(models.ProtectedError, match="Cannot delete some instances") as raised:
            delete()
        assert raised.value.protected_objects == set(SmsMessage.objects.all())
    assert rows("status", "batch") == [(status, went.pk)]


def test_messages_outlive_the_user_who_wrote_them():
    user = User.objects.create(username="olga")
    write(created_by=user)
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    SmsMessage.objects.resolve(Resolution.SENT, by=user)
    GatewayState.objects.pause(by=user)
    user.delete()
    assert rows("created_by", "resolved_by", "resolution") == [(None, None, "sent")]
    state = GatewayState.objects.current()
    assert (state.paused_by, state.paused_at is None) == (None, False)


@pytest.mark.parametrize(
    "number", ["+79135292926", "+375291234567", "79135292926", "12", "", None, "не номер", 5]
)
def test_message_is_shown_without_its_text_and_whole_number(number):
    row = SmsMessage(guid=GUID, number=number, text="тайна", source="89234560000")
    for shown in (str(row), repr(row), f"{[row]}"):
        assert str(GUID) in shown
        assert "тайна" not in shown
        assert not number or str(number) not in shown.replace(str(GUID), "")


def test_shown_message_batch_and_state():
    row = SmsMessage(guid=GUID, number="+79135292926")
    assert (str(row), repr(row)) == (f"+7913*****26 ({GUID})", f"<SmsMessage {GUID}: pending>")
    assert str(SmsBatch(id=GUID)) == str(GUID)
    assert repr(SmsMessage(guid=None, number=None)) == "<SmsMessage None: pending>"
    states = [GatewayState(), GatewayState(blocked_until=PAST), GatewayState(paused_at=PAST)]
    assert [str(state) for state in states] == ["ready", "blocked", "paused"]


# Constraints

BROKEN = [
    ("mobilon_sms_status_known", {"status": "posted"}),
    ("mobilon_sms_status_known", {"status": ""}),
    ("mobilon_sms_priority_known", {"priority": 1}),
    ("mobilon_sms_resolution_known", {"resolution": "perhaps"}),
    ("mobilon_sms_complete", {"number": ""}),
    ("mobilon_sms_complete", {"source": ""}),
    ("mobilon_sms_text_until_sent", {"text": ""}),
    ("mobilon_sms_complete", {"segments": 0}),
    ("mobilon_sms_expires_later", {"send_at": FUTURE, "expires_at": FUTURE}),
    ("mobilon_sms_expires_later", {"expires_at": PAST}),
    ("mobilon_sms_sending_in_batch", {"status": "sending"}),
    ("mobilon_sms_accepted_has_id", {"status": "accepted"}),
    ("mobilon_sms_accepted_has_id", {"status": "sent", "gateway_id": "58adc4b8"}),
    ("mobilon_sms_accepted_has_id", {"status": "delivered", "accepted_at": PAST}),
]


@pytest.mark.parametrize(("name", "fields"), BROKEN)
def test_database_refuses_a_message_that_can_not_be(name, fields):
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        message(**fields)
    row = message()
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        SmsMessage.objects.filter(pk=row.pk).change(**fields)


BROKEN_BATCHES = [
    ("mobilon_sms_outcome_known", {"outcome": "fine", "closed_at": PAST}),
    ("mobilon_sms_outcome_closed", {"outcome": Outcome.ANSWERED}),
]


@pytest.mark.parametrize(("name", "fields"), BROKEN_BATCHES)
def test_database_refuses_a_batch_that_can_not_be(name, fields):
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        batch(**fields)


def test_every_constraint_has_a_case():
    constraints = [*SmsMessage._meta.constraints, *SmsBatch._meta.constraints]
    assert {c.name for c in constraints} == {name for name, _ in BROKEN + BROKEN_BATCHES}


def test_database_refuses_a_guid_twice():
    message(guid=GUID)
    with pytest.raises(IntegrityError), transaction.atomic():
        message(guid=GUID)


# The verbs

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
def test_what_is_not_pending_is_not_cancelled_or_claimed(status):
    in_status(status)
    assert SmsMessage.objects.all().cancel() == 0
    assert claim(batch()) == 0
    assert rows("status") == [(status,)]


@pytest.mark.parametrize("status", OTHERS)
def test_what_is_not_pending_does_not_expire(status):
    in_status(status, send_at=PAST, expires_at=PAST + HOUR)
    assert sum(SmsMessage.objects.expire().values()) == 0
    assert rows("status") == [(status,)]


def test_pending_message_whose_time_passed_expires():
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


def test_claim_takes_what_is_pending_and_has_not_expired():
    message(send_at=PAST, expires_at=PAST + HOUR)
    message(expires_at=FUTURE)
    mine = batch()
    assert claim(mine) == 1
    assert rows("status", "batch") == [("pending", None), ("sending", mine.pk)]


def test_unknown_message_is_resent_under_its_guid():
    user = User.objects.create(username="olga")
    row = message(status="unknown", error_code="timeout", due_at=FUTURE, attempts=2)
    assert SmsMessage.objects.all().resend(by=user) == 1
    fields = ("guid", "status", "error_code", "resends", "attempts", "resolution", "resolved_by")
    assert rows(*fields) == [(row.guid, "pending", "", 1, 2, "", user.pk)]
    assert SmsMessage.objects.due().filter(resolved_at__lte=db_now()).count() == 1
    assert SmsMessage.objects.all().resend(by=user) == 0


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
    ],
)
def test_message_whose_batch_may_be_under_way_is_not_resent(fields, resent):
    message(status="unknown", batch=batch(**fields))
    assert SmsMessage.objects.resendable().count() == resent
    assert SmsMessage.objects.all().resend(by=None) == resent
    assert rows("resends") == [(resent,)]


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


@pytest.mark.parametrize(
    ("status", "next_check_at", "asked"),
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
def test_only_what_is_still_asked_for_is_asked_for_soon(status, next_check_at, asked):
    in_status(status, next_check_at=next_check_at)
    assert SmsMessage.objects.all().check_soon() == asked
    assert SmsMessage.objects.checkable().count() == asked


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
    row = SmsMessage.objects.get(pk=one.pk)
    assert row.next_check_at - row.accepted_at == timedelta(seconds=10)
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


def test_verbs_read_and_write_where_the_router_writes(settings):
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
def told():
    """What `status_changed` told: number of the message, old, new."""
    heard = []

    def hear(sender, message, old, new, **kwargs):
        assert (sender, message.status) == (SmsMessage, new)
        heard.append((message.pk, old, new))

    status_changed.connect(hear, weak=False)
    yield heard
    status_changed.disconnect(hear)


@pytest.mark.django_db(transaction=True)
def test_change_is_told_after_the_commit_only(told):
    one, two = write(2)
    with transaction.atomic():
        assert SmsMessage.objects.filter(pk=one.pk).cancel() == 1
        assert told == []
    assert told == [(one.pk, "pending", "cancelled")]
    with transaction.atomic():
        assert SmsMessage.objects.filter(pk=two.pk).cancel() == 1
        transaction.set_rollback(True)
    assert told == [(one.pk, "pending", "cancelled")]
    assert rows("status") == [("cancelled",), ("pending",)]


@pytest.mark.django_db(transaction=True)
def test_every_change_is_told_but_that_from_pending_to_sending(told):
    [row] = write()
    messages = SmsMessage.objects.filter(pk=row.pk)
    mine = batch(lease_until=PAST)
    claim(mine)
    messages.hold(ErrorCode.LOST)
    messages.resend(by=None)
    messages.accept(mine, {row.pk: "id"}, {row.pk: 0})
    messages.check_soon()
    assert told == [
        (row.pk, "sending", "unknown"),
        (row.pk, "unknown", "pending"),
        (row.pk, "pending", "accepted"),
    ]


@pytest.mark.django_db(transaction=True)
def test_two_changes_in_one_transaction_are_told_as_they_were(told):
    [row] = write()
    with transaction.atomic():
        SmsMessage.objects.all().hold(ErrorCode.HELD)
        SmsMessage.objects.all().resend(by=None)
    assert told == [(row.pk, "pending", "unknown"), (row.pk, "unknown", "pending")]


@pytest.mark.django_db(transaction=True)
def test_status_that_stays_is_not_told(told):
    message(status="unknown", error_code="lost")
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    SmsMessage.objects.resolve(Resolution.SENT, by=None)
    assert told == []


@pytest.mark.django_db(transaction=True)
def test_nothing_is_told_of_messages_that_did_not_change(told):
    one, _ = message(), message(status="failed")
    assert SmsMessage.objects.all().cancel() == 1
    assert SmsMessage.objects.all().cancel() == 0
    assert told == [(one.pk, "pending", "cancelled")]


@pytest.mark.django_db(transaction=True)
def test_receiver_that_raises_harms_nothing(told, caplog):
    def fail(**kwargs):
        raise RuntimeError

    status_changed.connect(fail, sender=SmsMessage)
    try:
        write(2)
        assert SmsMessage.objects.all().cancel() == 2
    finally:
        status_changed.disconnect(fail, sender=SmsMessage)
    assert rows("status") == [("cancelled",)] * 2
    assert len(told) == 2


@pytest.mark.django_db(transaction=True)
def test_change_that_two_want_at_once_is_told_once(told):
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
    assert sorted(told) == [(row.pk, "pending", "cancelled") for row in messages]


# The gateway's state


def state(**fields) -> GatewayState:
    GatewayState.objects.current()
    GatewayState.objects.update(**fields)
    return GatewayState.objects.current()


def test_state_is_one_row_that_makes_itself():
    assert GatewayState.objects.count() == 0
    first = GatewayState.objects.current()
    assert (first.pk, str(first), first.failures) == (1, "ready", 0)
    assert first.changed_at <= first.now <= GatewayState.objects.current().now
    assert GatewayState.objects.count() == 1


def test_pause_keeps_who_paused_first_until_it_is_ended():
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
def test_probe_is_won_after_the_wait_by_one(fields, won):
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


def test_post_begun_before_the_last_change_says_nothing():
    old = batch(created_at=PAST)
    before = state(changed_at=PAST + HOUR, failures=2, blocked_until=FUTURE)
    assert GatewayState.objects.trip(old, wait=HOUR) == 0
    assert GatewayState.objects.clear(old) == 0
    after = GatewayState.objects.current()
    assert (after.failures, after.blocked_until) == (2, before.blocked_until)


# Batches


def test_outcome_is_recorded_once_and_the_workers_word_replaces_lost():
    mine = batch(lease_until=PAST)
    batches = SmsBatch.objects
    assert list(batches.lost()) == [mine]
    assert batches.close(mine, Outcome.LOST) == 1
    assert batches.close(mine, Outcome.LOST) == 0
    assert list(batches.lost()) == []
    assert batches.close(mine, Outcome.ANSWERED, http_code=200) == 1
    assert batches.close(mine, Outcome.NO_PROOF) == 0
    mine.refresh_from_db()
    assert (mine.outcome, mine.http_code, mine.applied_at) == ("answered", 200, None)
    assert list(SmsBatch.objects.unapplied()) == [mine]


def test_batch_within_its_lease_is_not_lost():
    batch()
    assert not SmsBatch.objects.lost().exists()
    assert not SmsBatch.objects.unapplied().exists()


# Dumped and loaded

EVERYTHING = (User, SmsBatch, SmsMessage, GatewayState)


def kept() -> dict[str, list]:
    """All rows of all tables."""
    return {m.__name__: list(m._base_manager.order_by("pk").values()) for m in EVERYTHING}


def to_milliseconds(tables: dict[str, list]) -> dict[str, list]:
    """What Django's JSON keeps of a time."""

    def cut(value):
        if not isinstance(value, datetime):
            return value
        return value.replace(microsecond=value.microsecond // 1000 * 1000)

    return {
        name: [{field: cut(value) for field, value in row.items()} for row in found]
        for name, found in tables.items()
    }


def dump(path, form="json"):
    call_command("dumpdata", "auth.user", "mobilon_sms", format=form, output=str(path))
    return path


def load(path):
    call_command("loaddata", str(path), verbosity=0)


def empty():
    for model in reversed(EVERYTHING):
        model._base_manager.all()._raw_delete("default")
    assert kept() == {"User": [], "SmsBatch": [], "SmsMessage": [], "GatewayState": []}


@pytest.mark.parametrize(("form", "keeps"), [("json", to_milliseconds), ("xml", dict)])
def test_everything_is_dumped_and_loaded_as_it_was(tmp_path, form, keeps):
    olga = User.objects.create(username="olga")
    for status in Status:
        in_status(status, created_by=olga, text=f"«{status}»\n🎄", tag="зима", attempts=2)
    decided = {"resolution": "sent", "resolved_by": olga, "resolved_at": PAST, "resends": 1}
    lost = batch(outcome="lost", error_code="lost", closed_at=PAST, applied_at=PAST)
    message(status="unknown", error_code="lost", batch=lost, **decided)
    answered = batch(outcome="answered", closed_at=PAST, guids=[str(GUID)], http_code=200)
    SmsBatch.objects.filter(pk=answered.pk).update(reply=[[str(GUID), 0, "58adc4b8"]])
    GatewayState.objects.pause(by=olga)
    GatewayState.objects.update(blocked_until=FUTURE, failures=3, probe=GUID, probe_until=FUTURE)
    before = kept()
    assert {name: len(found) for name, found in before.items()} == {
        "User": 1, "SmsBatch": 3, "SmsMessage": 10, "GatewayState": 1,
    }  # fmt: skip
    path = dump(tmp_path / f"outbox.{form}", form)
    empty()
    load(path)
    assert kept() == keeps(before)
    load(path)
    assert kept() == keeps(before)


def test_loaded_rows_are_written_once_too_and_new_ones_go_beside_them(tmp_path):
    write()
    path = dump(tmp_path / "outbox.json")
    empty()
    load(path)
    with pytest.raises(MessageIsWritten):
        SmsMessage.objects.get().save()
    write()
    assert len({pk for (pk,) in rows("pk")}) == 2


def test_older_state_that_was_loaded_over_a_newer_one_is_held_by_hold_sms(tmp_path):
    """Django loads past ``save()``: only a person knows that the copy is old."""
    [row] = write()
    path = dump(tmp_path / "outbox.json")
    mine = batch()
    claim(mine)
    SmsMessage.objects.accept(mine, {row.pk: "id"}, {row.pk: 0})
    load(path)
    assert rows("status", "gateway_id", "batch") == [("pending", "", None)]
    call_command("hold_sms", "--no-input", stdout=StringIO())
    assert rows("status", "error_code") == [("unknown", "held")]
