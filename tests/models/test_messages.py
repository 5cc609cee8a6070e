"""A message is written once, and the database refuses wrong rows."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction

from django_mobilon_sms.choices import ErrorCode, Outcome, Resolution, Status
from django_mobilon_sms.exceptions import MessageIsWritten
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage
from tests.models.factories import (
    FUTURE,
    GUID,
    PAST,
    batch,
    in_status,
    message,
    rows,
)
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db]


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
def test_update_of_django_is_refused(update):
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
        (Status.ACCEPTED, {"batch": None}),
        (Status.SENT, {"batch": None}),
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
def test_message_that_has_not_ended_is_not_deleted_nor_anything_with_it(settings, status):
    settings.MOBILON_SMS_STATUS_REPLIES = {1: "sent", 2: "delivered"}
    row, _ended = in_status(status), in_status(Status.FAILED)
    for delete in (row.delete, SmsMessage.objects.all().delete):
        with pytest.raises(models.ProtectedError) as raised:
            delete()
        assert raised.value.args == ("Only ended messages can be deleted.", {row})
    assert SmsMessage.objects.count() == 2


@pytest.mark.parametrize("status", [Status.SENDING, Status.UNKNOWN, Status.FAILED])
def test_batch_is_kept_while_it_has_a_message(status):
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
    assert [str(state) for state in states] == [
        "Sending is on",
        "Sending waits after trouble with the gateway",
        "Sending is paused",
    ]


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
def test_database_refuses_an_impossible_message(name, fields):
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
def test_database_refuses_an_impossible_batch(name, fields):
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        batch(**fields)


def test_every_constraint_has_a_case():
    constraints = [*SmsMessage._meta.constraints, *SmsBatch._meta.constraints]
    assert {c.name for c in constraints} == {name for name, _ in BROKEN + BROKEN_BATCHES}


def test_database_refuses_a_guid_twice():
    message(guid=GUID)
    with pytest.raises(IntegrityError), transaction.atomic():
        message(guid=GUID)
