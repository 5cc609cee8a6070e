"""The stop list: no message is sent to a number on it, whoever writes it."""

from __future__ import annotations

import logging

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.choices import ErrorCode, Priority
from django_mobilon_sms.exceptions import InvalidRows
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, StoppedNumber
from django_mobilon_sms.outbox import (
    Stopped,
    copy_message,
    read_numbers,
    send_many,
    send_sms,
    stop,
    stop_list,
)
from django_mobilon_sms.signals import status_changed
from django_mobilon_sms.worker import candidates, deliver, send_now
from tests.support.lock_waits import in_threads, waiting
from tests.support.messages import write
from tests.support.plans import faults, fill
from tests.support.workers import PATIENCE, wait_until

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

NUMBER, OTHER = "+79135292926", "+79029801212"


def rows(*fields):
    return list(SmsMessage.objects.order_by("pk").values_list(*fields))


def stop_unseen(*numbers):
    """Stop a number as by a transaction that no writer has seen yet."""
    StoppedNumber.objects.bulk_create(StoppedNumber(number=number) for number in numbers)


def test_message_that_is_written_while_its_number_is_stopped_does_not_stay(monkeypatch):
    """Neither waits for the other. On MariaDB, a deadlock would undo the stop."""
    if connection.vendor == "sqlite":
        pytest.skip("one writer at a time")
    cancel, added, written = stop_list._cancel, [], []

    def cancel_after_the_write(numbers, by):
        added.append(numbers)
        wait_until(lambda: len(written) == 2 or waiting())
        return cancel(numbers, by)

    monkeypatch.setattr(stop_list, "_cancel", cancel_after_the_write)
    with in_threads() as start:
        stopping = start(stop, [NUMBER])
        wait_until(lambda: added)
        written.append(send_sms(NUMBER, "x"))
        written.append(send_many([{"number": NUMBER, "text": "y"}] * 3))
        assert stopping.result(PATIENCE) == Stopped(1, 4)
    assert set(rows("status")) == {("cancelled",)}


def test_number_is_added_once_and_keeps_its_note():
    assert stop(["8 913 529-29-26", NUMBER, OTHER], note="asked on the phone") == Stopped(2, 0)
    assert stop([NUMBER], note="again") == Stopped(0, 0)
    assert set(StoppedNumber.objects.values_list("number", "note")) == {
        (NUMBER, "asked on the phone"),
        (OTHER, "asked on the phone"),
    }


def test_invalid_number_stops_nothing():
    with pytest.raises(ValidationError):
        stop([NUMBER, "12"])
    assert not StoppedNumber.objects.exists()


@pytest.mark.parametrize("note", ["x" * 201, "\0", "\ud800", None, 5])
def test_note_that_no_database_can_hold_is_refused(note):
    with pytest.raises(ValidationError, match="Write a note of at most 200"):
        stop([NUMBER], note=note)
    assert not StoppedNumber.objects.exists()


def test_adding_a_number_cancels_its_pending_messages():
    waiting, resent, other, lost = (*write(2), *write(number=OTHER), *write())
    SmsMessage.objects.filter(pk=resent.pk).change(resends=1)
    SmsMessage.objects.filter(pk=lost.pk).hold(ErrorCode.LOST)
    assert stop([NUMBER]) == Stopped(1, 2)
    assert rows("pk", "status", "error_code") == [
        (waiting.pk, "cancelled", "stop_list"),
        (resent.pk, "unknown", "stop_list"),
        (other.pk, "pending", ""),
        (lost.pk, "unknown", "lost"),
    ]


def test_number_and_its_messages_change_together(monkeypatch):
    write()

    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(
        "django_mobilon_sms.outbox.stop_list._cancel", fail
    )  # as a lost connection would
    with pytest.raises(RuntimeError):
        stop([NUMBER])
    assert not StoppedNumber.objects.exists()
    assert rows("status") == [("pending",)]


def test_writing_to_a_stopped_number_is_refused():
    stop([NUMBER])
    with pytest.raises(ValidationError) as raised:
        send_sms(NUMBER, "привет")
    assert {f: [e.code for e in es] for f, es in raised.value.error_dict.items()} == {
        "number": ["stopped"]
    }
    with pytest.raises(InvalidRows) as many:
        send_many([{"number": n, "text": "привет"} for n in (OTHER, NUMBER, NUMBER)])
    assert [(e.index, e.field, e.code) for e in many.value.errors] == [
        (1, "number", "stopped"),
        (2, "number", "stopped"),
    ]
    assert not SmsMessage.objects.exists()


def test_repeated_guid_still_finds_its_message():
    [message] = write()
    stop([NUMBER])
    assert send_sms(NUMBER, "Ваш заказ готов", guid=message.guid).pk == message.pk


def test_stopped_number_is_neither_copied_to_nor_resent_to():
    [message] = write()
    SmsMessage.objects.cancel()
    [lost] = write()
    SmsMessage.objects.filter(pk=lost.pk).hold(ErrorCode.LOST)
    stop([NUMBER])
    message.refresh_from_db()
    with pytest.raises(ValidationError):
        copy_message(message, created_by=None)
    assert SmsMessage.objects.resend(by=None) == 0
    StoppedNumber.objects.all().delete()
    assert SmsMessage.objects.resend(by=None) == 1


def test_number_stopped_meanwhile_is_cancelled_after_the_claim(sandbox, caplog):
    caplog.set_level(logging.INFO, "django_mobilon_sms.worker.claims")
    write(2)
    resent = write()[0]
    SmsMessage.objects.filter(pk=resent.pk).change(resends=1)
    [other] = write(number=OTHER)
    stop_unseen(NUMBER)
    assert deliver().exit_code == 0
    assert rows("status", "error_code", "batch") == [
        ("cancelled", "stop_list", None),
        ("cancelled", "stop_list", None),
        ("unknown", "stop_list", None),
        ("accepted", "", SmsBatch.objects.get().pk),
    ]
    assert [message.guid for message in sandbox.messages] == [str(other.guid)]
    assert "claim.stopped count=" in caplog.text
    assert NUMBER[2:] not in caplog.text


def test_no_request_is_made_and_no_batch_stays_if_all_numbers_were_stopped(sandbox):
    write(3)
    stop_unseen(NUMBER)
    assert deliver().exit_code == 0
    assert (sandbox.exchanges, SmsBatch.objects.count()) == ([], 0)
    assert rows("status") == [("cancelled",)] * 3


def test_send_now_sends_nothing_to_a_stopped_number(sandbox):
    [message] = write()
    stop_unseen(NUMBER)
    send_now([message.pk])
    assert (sandbox.exchanges, rows("status")) == ([], [("cancelled",)])


def test_listeners_hear_of_cancelled_claims(sandbox):
    heard = []

    def hear(message, old, new, **kwargs):
        heard.append((old, new))

    write()
    stop_unseen(NUMBER)
    status_changed.connect(hear)
    try:
        deliver()
    finally:
        status_changed.disconnect(hear)
    assert heard == [("sending", "cancelled")]


def test_claim_takes_the_same_statements_whether_or_not_a_number_is_stopped(sandbox):
    write(2)
    deliver()
    write(priority=Priority.HIGH)
    with CaptureQueriesContext(connection) as without:
        deliver()
    stop([OTHER])
    write(priority=Priority.HIGH)
    with CaptureQueriesContext(connection) as with_list:
        deliver()
    assert len(with_list) == len(without)


def test_no_table_is_read_whole():
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL's plans are read")
    fill(40_000)
    stop_unseen(*(f"+7902{n:07}" for n in range(2000)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE mobilon_sms_stoppednumber")
    with CaptureQueriesContext(connection) as captured:
        stop([NUMBER])
        found = candidates.due(100, 100)
        from django_mobilon_sms.worker.claims import take

        GatewayState.objects.current()
        assert take(found)
        send_sms(OTHER, "привет")
        SmsMessage.objects.resend(by=None)
    asked = [
        query["sql"]
        for query in captured
        if "mobilon_sms_" in query["sql"] and not query["sql"].startswith("INSERT")
    ]
    assert {sql: bad for sql in asked if (bad := faults(sql, most=2000))} == {}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", []),
        ("89135292926", [NUMBER]),
        ("8 (913) 529-29-26\r\n\r\n+7 902 980-12-12\n", [NUMBER, OTHER]),
        ('"89135292926";"Анна"\n89029801212,Пётр\n', [NUMBER, OTHER]),
        ("89135292926\tАнна", [NUMBER]),
    ],
)
def test_numbers_are_read_from_a_list_or_a_table(text, numbers):
    assert read_numbers(text) == numbers


def test_lines_without_a_number_are_named_by_their_place():
    with pytest.raises(ValidationError) as raised:
        read_numbers("number\n89135292926\n\n12345\n")
    assert [message.partition(":")[0] for message in raised.value.messages] == ["Line 1", "Line 4"]
    assert "12345" not in str(raised.value)
    with pytest.raises(ValidationError) as raised:
        read_numbers("x\n" * 50)
    assert len(raised.value.messages) == 10
