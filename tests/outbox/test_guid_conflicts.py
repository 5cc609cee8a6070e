"""The same guid again returns the same row, or is a conflict."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from django_mobilon_sms.choices import Status
from django_mobilon_sms.exceptions import GuidConflict, InvalidRows, RowError
from django_mobilon_sms.models import GatewayState, SmsMessage
from django_mobilon_sms.outbox import send_sms, write_many
from tests.outbox.rows import GOOD, GUID, HOUR, LATER, refused_rows

pytestmark = pytest.mark.django_db


@pytest.mark.databases
def test_same_guid_returns_the_same_row():
    user = User.objects.create(username="olga")
    content = GOOD | {
        "source": "MOBILON",
        "send_at": LATER + timedelta(microseconds=1),
        "expires_at": LATER + HOUR,
        "priority": 9,
        "tag": "t",
    }
    first = send_sms(**content, guid=GUID)
    again = send_sms(**content, guid=str(GUID).upper(), created_by=user)
    assert (again.pk, again.guid, again.created_by) == (first.pk, GUID, None)
    assert (first.was_written, again.was_written) == (True, False)
    assert SmsMessage.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", "+79020000001"),
        ("text", "Ваш заказ готов "),
        ("source", "89230000001"),
        ("send_at", LATER + timedelta(microseconds=1)),
        ("expires_at", LATER + 2 * HOUR),
        ("priority", 0),
        ("tag", "other"),
        ("sensitive", True),
    ],
)
def test_same_guid_with_other_content_is_a_conflict(field, value):
    content = GOOD | {"send_at": LATER, "expires_at": LATER + HOUR, "tag": "t"}
    send_sms(**content, guid=GUID)
    with pytest.raises(GuidConflict) as raised:
        send_sms(**content | {field: value}, guid=GUID)
    assert (raised.value.guid, raised.value.fields) == (GUID, [field])
    assert refused_rows([GOOD, content | {field: value, "guid": GUID}]).errors == [
        RowError(1, "guid", "conflict", f"A message with this guid exists with another {field}.")
    ]
    assert SmsMessage.objects.count() == 1


def test_fields_that_the_call_does_not_name_are_not_compared(settings):
    first = send_sms(**GOOD, guid=GUID, source="MOBILON", send_at=LATER, priority=0, tag="t")
    settings.MOBILON_SMS_SOURCE = "89230000001"
    assert send_sms(**GOOD, guid=GUID).pk == first.pk
    assert send_sms("+7 913 529-29-26", GOOD["text"], guid=GUID, priority=0).pk == first.pk


def test_same_guid_is_found_in_any_status():
    first = send_sms(**GOOD, guid=GUID)
    SmsMessage.objects.filter(pk=first.pk).cancel()
    again = send_sms(**GOOD, guid=GUID)
    assert (again.pk, again.status) == (first.pk, Status.CANCELLED)


@pytest.mark.parametrize("many", [False, True])
def test_same_guid_is_found_after_the_expiry_and_other_settings(settings, many):
    """A repeated row met the rules when it was written."""
    now = GatewayState.objects.current().now
    content = GOOD | {"guid": GUID, "expires_at": now + HOUR, "text": "я" * 100}
    first = send_sms(**content)
    past = {"send_at": now - 2 * HOUR, "expires_at": now - HOUR}
    SmsMessage.objects.all().change(**past)
    settings.MOBILON_SMS_MAX_SEGMENTS = 1
    settings.MOBILON_SMS_NUMBER_PATTERN = r"\+78\d{9}"
    again = content | {"expires_at": now - HOUR}
    found = write_many([again])[0] if many else send_sms(**again)
    assert (found.pk, found.was_written) == (first.pk, False)
    with pytest.raises((GuidConflict, InvalidRows)):
        write_many([again | {"text": "я"}]) if many else send_sms(**again | {"text": "я"})
    with pytest.raises((ValidationError, InvalidRows)):
        write_many([again | {"guid": uuid4()}]) if many else send_sms(**again | {"guid": uuid4()})
    assert SmsMessage.objects.count() == 1


def at_once(count, function):
    """Return the result of each call; all begin at the same moment, each in its thread."""
    start = threading.Barrier(count, timeout=30)

    def call(n):
        try:
            connection.ensure_connection()
            start.wait()
            return function(n)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("inside_a_transaction", [False, True])
def test_same_guid_at_once_is_one_row(inside_a_transaction):
    guids = [uuid4() for _ in range(10)]

    def call(n):
        found = []
        for guid in guids:
            with transaction.atomic() if inside_a_transaction else nullcontext():
                if inside_a_transaction:
                    User.objects.create(username=f"{guid} {n}")  # an order, say: it comes first
                found.append(send_sms(**GOOD, guid=guid))
        return found

    ours, theirs = at_once(2, call)
    assert [message.pk for message in ours] == [message.pk for message in theirs]
    assert [a.was_written + b.was_written for a, b in zip(ours, theirs)] == [1] * 10
    assert sorted(SmsMessage.objects.values_list("guid", flat=True)) == sorted(guids)


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_same_guid_at_once_with_other_content_is_one_row_and_one_conflict():
    def call(n):
        try:
            return send_sms(GOOD["number"], f"text {n}", guid=GUID).text
        except GuidConflict as error:
            return error.fields

    found = at_once(2, call)
    text = SmsMessage.objects.get().text
    assert sorted(found, key=str) == sorted([text, ["text"]], key=str)
