"""Messages as they are written: one, many, copies, and in the caller's transaction."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.connection import ConnectionDoesNotExist
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, override

from django_mobilon_sms.choices import NOT_SENT, Priority, Status
from django_mobilon_sms.models import GatewayState, SmsMessage
from django_mobilon_sms.outbox import copy_message, send_many, send_sms, write_many
from tests.outbox.rows import GOOD, GUID, HOUR, LATER, refused_rows
from tests.support.messages import write

pytestmark = pytest.mark.django_db


# One message


def test_message_is_written_as_it_waits():
    user = User.objects.create(username="olga")
    message = send_sms(
        "8 (913) 529-29-26",
        "Ваш заказ готов",
        source="MOBILON",
        send_at=LATER,
        expires_at=LATER + HOUR,
        priority=Priority.HIGH,
        tag="order-1",
        guid=str(GUID),
        created_by=user,
    )
    [row] = SmsMessage.objects.values()
    assert row.pop("created_at") is not None
    assert row == {
        "id": message.pk,
        "guid": GUID,
        "number": "+79135292926",
        "source": "MOBILON",
        "text": "Ваш заказ готов",
        "status": "pending",
        "priority": 0,
        "send_at": LATER,
        "due_at": LATER,
        "expires_at": LATER + HOUR,
        "segments": 1,
        "attempts": 0,
        "resends": 0,
        "batch_id": None,
        "gateway_id": "",
        "gateway_status": None,
        "error_code": "",
        "resolution": "",
        "resolved_by_id": None,
        "resolved_at": None,
        "resent_by_id": None,
        "resent_at": None,
        "cancelled_by_id": None,
        "cancelled_at": None,
        "tag": "order-1",
        "mailing_id": None,
        "created_by_id": user.pk,
        "accepted_at": None,
        "sent_at": None,
        "delivered_at": None,
        "sensitive": False,
        "forget_from": None,
    }
    assert message.was_written


@pytest.mark.databases
def test_message_without_a_time_is_due_at_once_by_the_clock_of_the_database(monkeypatch):
    def host_clock():
        raise AssertionError

    # Nothing real can set this machine's clock wrong.
    monkeypatch.setattr("django.utils.timezone.now", host_clock)
    before = GatewayState.objects.current().now
    message = send_sms(**GOOD)
    stored = SmsMessage.objects.due().get()
    assert before <= stored.send_at <= GatewayState.objects.current().now
    assert (stored.send_at, stored.due_at) == (message.send_at, message.due_at)
    assert stored.due_at == stored.send_at == stored.created_at


def test_fields_not_named_get_their_defaults(settings):
    settings.MOBILON_SMS_SOURCE = "89230000001"
    message = send_sms(**GOOD)
    assert (message.source, message.priority, message.tag) == ("89230000001", 5, "")
    assert (message.expires_at, message.created_by) == (None, None)
    assert (message.guid.version, message.status) == (4, Status.PENDING)


@pytest.mark.databases
@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("один\r\nдва\rтри\n\r\n", "один\nдва\nтри\n\n"),
        ("  с пробелами по краям \t\n", "  с пробелами по краям \t\n"),
        ("«ёлка» — №1 🎄 e\u0301 \u200b\xa0", "«ёлка» — №1 🎄 e\u0301 \u200b\xa0"),
        ("<b>&amp;</b> %s {{NAME}} \\n", "<b>&amp;</b> %s {{NAME}} \\n"),
        (mark_safe("готово"), "готово"),
    ],
)
def test_line_ends_become_lf_and_nothing_else_is_changed(text, stored):
    pk = send_sms(GOOD["number"], text).pk
    assert SmsMessage.objects.get(pk=pk).text == stored


def test_lazy_translation_is_written_in_the_language_of_the_moment():
    with override("ru"):
        message = send_sms(GOOD["number"], gettext_lazy("Yes"))
    assert message.text == "Да"


def test_parts_are_counted_and_as_many_as_allowed_are_taken(settings):
    settings.MOBILON_SMS_MAX_SEGMENTS = 2
    assert send_sms(GOOD["number"], "ы" * 134).segments == 2
    assert send_sms(GOOD["number"], "a" * 306).segments == 2


def test_numbers_are_allowed_by_the_setting(settings):
    settings.MOBILON_SMS_NUMBER_PATTERN = r"\+375\d{9}"
    assert send_sms("+375 29 123-45-67", "привет").number == "+375291234567"
    with pytest.raises(ValidationError):
        send_sms(**GOOD)


def test_nothing_here_touches_the_network(sandbox):
    send_sms(**GOOD, guid=GUID, expires_at=LATER)
    send_many([GOOD, GOOD])
    assert sandbox.exchanges == []


# Many messages


@pytest.mark.databases
def test_a_thousand_rows_are_written_in_their_order(django_assert_max_num_queries):
    rows = [{"number": f"+7913{n:07}", "text": f"{n}", "guid": uuid4()} for n in range(1000)]
    with django_assert_max_num_queries(50):
        messages = write_many(iter(rows))
    assert [(m.number, m.text, m.guid) for m in messages] == [tuple(row.values()) for row in rows]
    assert all(m.was_written for m in messages)
    stored = SmsMessage.objects.order_by("pk").values_list("guid", flat=True)
    assert list(stored) == [row["guid"] for row in rows]
    assert send_many(rows) == 0
    assert SmsMessage.objects.count() == 1000


def test_empty_list_writes_nothing():
    assert (send_many([]), write_many(iter([]))) == (0, [])


@pytest.mark.databases
def test_one_bad_row_writes_none():
    error = refused_rows([GOOD, GOOD | {"number": "12", "text": ""}, GOOD])
    assert [(e.index, e.field, e.code) for e in error.errors] == [
        (1, "number", "too_short"),
        (1, "text", "empty"),
    ]
    assert error.errors[1].message == "Write a text."
    assert str(error) == (
        f"1 invalid rows, nothing was written. The first: row 1, number: {error.errors[0].message}"
    )
    assert SmsMessage.objects.count() == 0


@pytest.mark.databases
def test_conflict_in_a_list_writes_none_also_where_the_caller_goes_on():
    send_sms(**GOOD, guid=GUID)
    with transaction.atomic():
        error = refused_rows([GOOD, GOOD | {"guid": GUID, "tag": "other"}])
        send_sms(**GOOD, tag="afterwards")
    assert [(e.index, e.field, e.code) for e in error.errors] == [(1, "guid", "conflict")]
    assert sorted(SmsMessage.objects.values_list("tag", flat=True)) == ["", "afterwards"]


def test_first_hundred_faults_are_named_and_all_bad_rows_counted():
    error = refused_rows([GOOD, *[GOOD | {"text": ""}] * 150])
    assert (len(error.errors), error.count) == (100, 150)
    assert [e.index for e in error.errors] == list(range(1, 101))
    error = refused_rows([{"number": "1", "text": ""}] * 60)
    assert (len(error.errors), error.count) == (100, 60)
    assert error.errors[-1].index == 49


def test_guid_twice_in_one_list_is_one_message():
    rows = [GOOD | {"guid": GUID}, GOOD | {"guid": str(GUID)}]
    assert send_many(rows) == 1
    assert SmsMessage.objects.count() == 1


def test_guid_twice_in_one_list_with_other_content_is_a_conflict():
    error = refused_rows([GOOD | {"guid": GUID}, GOOD | {"guid": GUID, "text": "другой"}])
    assert [(e.index, e.field, e.code) for e in error.errors] == [(1, "guid", "conflict")]
    assert SmsMessage.objects.count() == 0


def test_list_with_known_and_new_guids_counts_the_new():
    send_sms(**GOOD, guid=GUID)
    messages = write_many([GOOD, GOOD | {"guid": GUID}])
    assert [message.was_written for message in messages] == [True, False]
    assert send_many([GOOD | {"guid": GUID}, GOOD]) == 1


# The caller's transaction and databases


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_rolled_back_transaction_leaves_nothing():
    with transaction.atomic():
        send_sms(**GOOD)
        send_many([GOOD, GOOD])
        assert SmsMessage.objects.count() == 3
        transaction.set_rollback(True)
    assert SmsMessage.objects.count() == 0


class WritesElsewhere:
    def db_for_write(self, model, **hints):
        return "elsewhere"


class ReadsFromReplica:
    def db_for_read(self, model, **hints):
        return "replica"

    def db_for_write(self, model, **hints):
        return "default"


def test_row_goes_where_the_router_writes(settings):
    settings.DATABASE_ROUTERS = [WritesElsewhere()]
    for call in (lambda: send_sms(**GOOD), lambda: send_many([GOOD])):
        with pytest.raises(ConnectionDoesNotExist, match="elsewhere"):
            call()


def test_nothing_is_read_from_a_replica(settings):
    settings.DATABASE_ROUTERS = [ReadsFromReplica()]
    first = send_sms(**GOOD, guid=GUID, expires_at=LATER)
    assert send_sms(**GOOD, guid=GUID).pk == first.pk
    assert send_many([GOOD | {"guid": GUID}, GOOD]) == 1


# Copies


@pytest.mark.parametrize("status", NOT_SENT)
def test_ended_message_is_copied_into_a_new_one(status):
    user = User.objects.create(username="olga")
    old = send_sms(
        **GOOD, source="MOBILON", send_at=LATER, expires_at=LATER + HOUR, priority=0, tag="t"
    )
    SmsMessage.objects.all().change(status=status, attempts=3)
    old.refresh_from_db()
    new = copy_message(old, created_by=user)
    assert new.guid != old.guid
    same = ("number", "text", "source", "priority", "tag")
    assert [getattr(new, name) for name in same] == [getattr(old, name) for name in same]
    assert (new.status, new.attempts, new.expires_at, new.created_by) == ("pending", 0, None, user)
    assert SmsMessage.objects.due().get().pk == new.pk
    old.refresh_from_db()
    assert old.status == status


@pytest.mark.parametrize("status", sorted(set(Status) - set(NOT_SENT)))
def test_other_message_is_not_copied(status):
    [message] = write()
    message.status = status
    with pytest.raises(ValidationError) as raised:
        copy_message(message, created_by=None)
    assert raised.value.code == "status"
    assert SmsMessage.objects.count() == 1
