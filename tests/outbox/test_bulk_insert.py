"""A list is written as its messages would be one by one, in few statements."""

from __future__ import annotations

import threading
from datetime import timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.exceptions import InvalidRows
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.outbox import insert_messages, send_many, send_sms, stop, write_many
from tests.outbox.rows import GOOD, GUID, HOUR, LATER, MARK, ODD_TEXTS, columns

pytestmark = [pytest.mark.django_db, pytest.mark.databases]

#: How many INSERTs write 10,000 messages. SQLite takes 999 parameters in a statement.
INSERTS = {"postgresql": 10, "mysql": 10, "sqlite": 60}


def odd_rows() -> list[dict[str, Any]]:
    """Rows with each field named in some and not in others, and texts that a driver could spoil."""
    olga = User.objects.create(username="olga")
    tomsk = timezone(timedelta(hours=7))
    named: list[dict[str, Any]] = [
        {},
        {"send_at": LATER, "expires_at": LATER + HOUR},
        {"send_at": (LATER + timedelta(microseconds=7)).astimezone(tomsk), "priority": 0},
        {"expires_at": LATER, "tag": "a\\b 'c' \"d\" {e,f} NULL", "sensitive": True},
        {"created_by": olga, "source": "MOBILON", "priority": 9},
        {"tag": "ёлка 🎄", "sensitive": False},
    ]
    return [
        {"number": f"8913{n:07}", "text": text, "guid": None if n % 2 else str(uuid4())}
        | named[n % len(named)]
        for n, text in enumerate(ODD_TEXTS * len(named))
    ]


def queries(captured: CaptureQueriesContext, start: str) -> list[str]:
    return [query["sql"] for query in captured if query["sql"].startswith(start)]


@pytest.mark.parametrize("many", ["alike", "odd"])
def test_list_is_written_as_its_messages_would_be_one_by_one(many):
    rows = [GOOD | {"text": text} for text in ODD_TEXTS] if many == "alike" else odd_rows()
    written = write_many(rows)
    in_a_list = [columns(message) for message in written]
    assert in_a_list == [columns(send_sms(**row | {"guid": uuid4()})) for row in rows]
    assert [fields["text"] for fields in in_a_list] == [row["text"] for row in rows]
    assert [message.pk for message in written] == sorted(message.pk for message in written)


def test_message_of_a_list_is_as_its_row():
    for message in write_many(odd_rows()):
        stored = SmsMessage.objects.get(guid=message.guid)
        names = [field.attname for field in SmsMessage._meta.concrete_fields]
        assert [getattr(message, n) for n in names] == [getattr(stored, n) for n in names]
        assert (message._state.adding, message._state.db) == (False, "default")


def test_long_list_takes_few_statements():
    rows = [GOOD | {"number": f"8913{n:07}", "text": f"{n}"} for n in range(10_000)]
    with CaptureQueriesContext(connection) as captured:
        assert send_many(rows) == 10_000
    assert len(queries(captured, "INSERT")) == INSERTS[connection.vendor]
    assert len(queries(captured, "SELECT")) == 10  # the stop list
    stored = SmsMessage.objects.order_by("pk").values_list("number", "text")
    assert list(stored) == [(f"+7{row['number'][1:]}", row["text"]) for row in rows]


def test_values_that_all_rows_share_are_in_a_statement_once():
    if connection.vendor != "postgresql":
        pytest.skip("Only PostgreSQL takes arrays.")
    with CaptureQueriesContext(connection) as captured:
        send_many([{"number": f"8913{n:07}", "text": MARK, "tag": "one-tag"} for n in range(1000)])
    [insert] = queries(captured, "INSERT")
    assert (insert.count(MARK), insert.count("one-tag"), insert.count("+7913")) == (1, 1, 1000)


def test_stopped_number_at_the_end_of_a_long_list_leaves_nothing():
    stop(["89139999999"])
    rows = [GOOD] * 1500 + [GOOD | {"number": "89139999999"}]
    with transaction.atomic():
        with pytest.raises(InvalidRows) as raised:
            send_many(rows)
        send_sms(**GOOD, tag="afterwards")
    assert [(e.index, e.field, e.code) for e in raised.value.errors] == [
        (1500, "number", "stopped")
    ]
    assert SmsMessage.objects.get().tag == "afterwards"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("text", [GOOD["text"], "another"])
def test_guid_that_another_writes_meanwhile_is_found_in_the_middle_of_a_list(text):
    def write_it() -> None:
        try:
            send_sms(GOOD["number"], text, guid=GUID)
        finally:
            connection.close()

    def meanwhile(messages: object) -> dict[int, Any]:
        """Write the same guid after the list was compared with what exists, and before it is."""
        if not SmsMessage.objects.exists():
            thread = threading.Thread(target=write_it)
            thread.start()
            thread.join()
        return {}

    rows = [GOOD | {"guid": GUID if n == 700 else uuid4()} for n in range(1500)]
    if text != GOOD["text"]:
        with pytest.raises(InvalidRows) as raised:
            write_many(rows, extra_checks=meanwhile)
        assert [(e.index, e.code) for e in raised.value.errors] == [(700, "conflict")]
        assert SmsMessage.objects.get().text == text
        return
    messages = write_many(rows, extra_checks=meanwhile)
    assert [n for n, message in enumerate(messages) if not message.was_written] == [700]
    assert messages[700].pk == SmsMessage.objects.get(guid=GUID).pk
    assert SmsMessage.objects.count() == 1500


@pytest.mark.django_db(transaction=True)
def test_long_list_in_a_transaction_that_is_rolled_back_leaves_nothing():
    with transaction.atomic():
        assert send_many([GOOD] * 1500) == 1500
        assert SmsMessage.objects.count() == 1500
        transaction.set_rollback(True)
    assert SmsMessage.objects.count() == 0


def test_value_that_is_too_long_is_refused_and_not_cut():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no lengths.")
    sources = [MARK, MARK * 6]
    new = [SmsMessage(number="+7", text="a", source=source, segments=1) for source in sources]
    with pytest.raises(DataError) as raised, transaction.atomic():
        insert_messages(new, using="default")
    assert MARK not in str(raised.value)
