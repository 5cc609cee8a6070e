"""Writing into the outbox: what is taken, what is refused, and by which name."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.connection import ConnectionDoesNotExist
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, override

from django_mobilon_sms.choices import NOT_SENT, Priority, Status
from django_mobilon_sms.exceptions import GuidConflict, InvalidRows, RowError
from django_mobilon_sms.models import GatewayState, SmsMessage
from django_mobilon_sms.outbox import copy_message, send_many, send_sms, write_many
from tests.support.messages import write

pytestmark = pytest.mark.django_db

GOOD = {"number": "8 (913) 529-29-26", "text": "Ваш заказ готов"}
GUID = UUID("5f0c1c1e-6c1f-4a0e-9d8a-0f4b7a5f1c11")
LATER = datetime(2900, 1, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
# Looks like nothing else, so that it can be sought in what was printed.
MARK = "Zq7Zq7"


def codes(error: ValidationError) -> dict[str, list[str | None]]:
    return {field: [one.code for one in found] for field, found in error.error_dict.items()}


def refused(**fields) -> dict[str, list[str | None]]:
    with pytest.raises(ValidationError) as raised:
        send_sms(**GOOD | fields)
    assert SmsMessage.objects.count() == 0
    return codes(raised.value)


def refused_rows(rows) -> InvalidRows:
    with pytest.raises(InvalidRows) as raised:
        send_many(rows)
    return raised.value


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
        "tag": "order-1",
        "created_by_id": user.pk,
        "accepted_at": None,
        "sent_at": None,
        "delivered_at": None,
        "next_check_at": None,
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


def test_what_is_not_named_has_its_default(settings):
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


# Bad input


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("number", "8913529XXXX", "letters"),
        ("number", "79135292926.0", "spreadsheet"),
        ("number", "", "empty"),
        ("number", None, "not_text"),
        ("number", 79135292926, "not_text"),
        ("number", "8 495 123-45-67", "landline"),
        ("text", "", "empty"),
        ("text", " \r\n\t\xa0", "empty"),
        ("text", None, "not_text"),
        ("text", b"bytes", "not_text"),
        ("text", ["list"], "not_text"),
        ("text", "a\0b", "nul"),
        ("text", "a\ud83d", "surrogate"),
        ("text", "\udc00b", "surrogate"),
        ("text", "ы" * 671, "too_long"),
        ("text", "a" * 1531, "too_long"),
        ("source", "", "required"),
        ("source", "8923 456", "invalid"),
        ("source", "отправитель", "invalid"),
        ("source", "s" * 33, "invalid"),
        ("source", "s\n", "invalid"),
        ("source", 89234560000, "invalid"),
        ("send_at", datetime(2900, 1, 1), "naive"),
        ("send_at", "2900-01-01T00:00:00Z", "invalid"),
        ("send_at", LATER.date(), "invalid"),
        ("send_at", LATER.timestamp(), "invalid"),
        ("send_at", datetime.min.replace(tzinfo=timezone(HOUR)), "range"),
        ("send_at", datetime.max.replace(tzinfo=timezone(-HOUR)), "range"),
        ("expires_at", datetime(2900, 1, 1), "naive"),
        ("expires_at", 60, "invalid"),
        ("expires_at", datetime(2020, 1, 1, tzinfo=timezone.utc), "expires_before_send"),
        ("priority", 1, "invalid"),
        ("priority", "5", "invalid"),
        ("priority", "high", "invalid"),
        ("priority", False, "invalid"),
        ("priority", [], "invalid"),
        ("tag", 5, "not_text"),
        ("tag", "t" * 65, "invalid"),
        ("tag", "a\nb", "invalid"),
        ("tag", "a\0b", "nul"),
        ("tag", "\ud800", "surrogate"),
        ("guid", "5f0c1c1e", "invalid"),
        ("guid", 5, "invalid"),
        ("guid", b"5f0c1c1e-6c1f-4a0e-9d8a-0f4b7a5f1c11", "invalid"),
        ("created_by", "olga", "invalid"),
        ("created_by", 1, "invalid"),
        ("created_by", AnonymousUser(), "invalid"),
        ("created_by", User(username="not saved"), "invalid"),
    ],
)
def test_bad_value_is_named_by_its_field_and_code(field, value, code):
    assert refused(**{field: value}) == {field: [code]}
    assert refused_rows([GOOD | {field: value}]).errors[0].code == code
    assert SmsMessage.objects.count() == 0


@pytest.mark.parametrize("expires_at", [LATER, LATER - HOUR])
def test_expiry_not_after_the_send_time_is_refused(expires_at):
    assert refused(send_at=LATER, expires_at=expires_at) == {"expires_at": ["expires_before_send"]}
    with_offset = expires_at.astimezone(timezone(7 * HOUR))
    assert refused(send_at=LATER, expires_at=with_offset) == {"expires_at": ["expires_before_send"]}


def test_expiry_is_not_judged_by_a_send_time_that_is_wrong_itself():
    assert refused(send_at="soon", expires_at=LATER) == {"send_at": ["invalid"]}


def test_expiry_alone_is_compared_with_now():
    now = GatewayState.objects.current().now
    assert refused(expires_at=now) == {"expires_at": ["expires_before_send"]}
    assert send_sms(**GOOD, expires_at=now + HOUR).expires_at == now + HOUR


def test_every_fault_is_named_at_once():
    assert refused(number="", text="", priority=7, tag=1, guid="x") == {
        "number": ["empty"],
        "text": ["empty"],
        "priority": ["invalid"],
        "tag": ["not_text"],
        "guid": ["invalid"],
    }


def test_message_without_a_sender_anywhere_is_refused(settings):
    settings.MOBILON_SMS_SOURCE = ""
    assert refused() == {"source": ["required"]}
    assert send_sms(**GOOD, source="89230000001").source == "89230000001"


def test_row_without_its_number_and_text_is_refused():
    errors = refused_rows([{}]).errors
    assert [(e.index, e.field, e.code) for e in errors] == [
        (0, "number", "not_text"),
        (0, "text", "not_text"),
    ]


def test_names_that_no_message_has_are_refused():
    errors = refused_rows([GOOD | {"status": "sent", "recipient": MARK}]).errors
    assert sorted((e.field, e.code) for e in errors) == [
        ("recipient", "unknown_field"),
        ("status", "unknown_field"),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"number": f"+7913529{MARK}"},
        {"text": f"{MARK}\0"},
        {"text": f"{MARK}\ud800"},
        {"text": MARK * 500},
        {"source": f"{MARK} "},
        {"send_at": MARK},
        {"expires_at": MARK},
        {"priority": MARK},
        {"tag": MARK * 20},
        {"guid": MARK},
        {"created_by": MARK},
        {"recipient": MARK},
    ],
)
def test_no_value_is_repeated_in_an_error(fields):
    error = refused_rows([GOOD | fields])
    assert MARK not in f"{error} {error!r} {error.errors!r}"
    assert "529" not in f"{error} {error!r}"
    if "recipient" not in fields:
        with pytest.raises(ValidationError) as raised:
            send_sms(**GOOD | fields)
        assert MARK not in f"{raised.value} {raised.value!r} {raised.value.messages}"


def test_conflict_repeats_no_value():
    send_sms(**GOOD, guid=GUID)
    with pytest.raises(GuidConflict) as raised:
        send_sms("+79020000001", MARK, guid=GUID, tag=MARK)
    assert str(raised.value) == (
        f"A message with guid {GUID} exists with another number, text, tag. "
        "Send another message under another guid."
    )


# The same guid again


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


def test_what_the_call_does_not_name_is_not_compared(settings):
    first = send_sms(**GOOD, guid=GUID, source="MOBILON", send_at=LATER, priority=0, tag="t")
    settings.MOBILON_SMS_SOURCE = "89230000001"
    assert send_sms(**GOOD, guid=GUID).pk == first.pk
    assert send_sms("+7 913 529-29-26", GOOD["text"], guid=GUID, priority=0).pk == first.pk


def test_same_guid_is_found_however_far_its_message_is():
    first = send_sms(**GOOD, guid=GUID)
    SmsMessage.objects.filter(pk=first.pk).cancel()
    again = send_sms(**GOOD, guid=GUID)
    assert (again.pk, again.status) == (first.pk, Status.CANCELLED)


@pytest.mark.parametrize("many", [False, True])
def test_same_guid_is_found_after_the_expiry_and_other_settings(settings, many):
    """What is asked for again was right when it was written."""
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
    """What each of the calls returned; they begin at the same moment, each in its thread."""
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


def test_nothing_is_nothing_to_write():
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
