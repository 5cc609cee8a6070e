"""Every operation of the API, called through the client that openapi-python-client has generated.

``python walk.py URL`` prints the name of each operation that it has called. The package
``sms_client`` is generated beside it; only ``make clients`` has it.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

from sms_client import AuthenticatedClient, models
from sms_client.api.sms import (
    sms_messages_cancel,
    sms_messages_create,
    sms_messages_create_many,
    sms_messages_list,
    sms_messages_queue,
    sms_messages_refresh,
    sms_messages_resend,
    sms_messages_retrieve,
    sms_messages_search,
    sms_messages_summary,
)
from sms_client.api.sms_events import sms_events_list
from sms_client.api.sms_stop_list import (
    sms_stop_list_create,
    sms_stop_list_list,
    sms_stop_list_remove,
    sms_stop_list_search,
)

#: In the sandbox, messages to these numbers are never reported as sent, or not answered for.
UNREPORTED, UNANSWERED = "89350000001", "89350000005"
NUMBER, TAG = "8 (913) 529-29-26", "python"
SKIP = models.SmsMessagesCreateManyOnError.SKIP


class Caller:
    """The API, as one user calls it."""

    def __init__(self, url: str, password: str = "secret") -> None:
        token = b64encode(f"billing:{password}".encode()).decode()
        self.client = AuthenticatedClient(
            url, token, prefix="Basic", raise_on_unexpected_status=True
        )

    def __call__(self, operation: ModuleType, code: int, *path: Any, **given: Any) -> Any:
        """Call an operation, which must answer with this code, and return what it answers."""
        print(operation.__name__.rpartition(".")[2])
        answer = operation.sync_detailed(*path, client=self.client, **given)
        assert answer.status_code == HTTPStatus(code), answer
        if code >= 400:
            assert isinstance(answer.parsed, models.SmsProblem | models.SmsBlocked), answer
            assert answer.parsed.status == code
        return answer.parsed

    def new(self, number: str, **fields: Any) -> models.SmsNewMessage:
        """Return a message to write."""
        return models.SmsNewMessage(number=number, text="Ваш заказ готов", tag=TAG, **fields)


def follow(call: Caller, cursor: str, wanted: Iterable[tuple[UUID, str]]) -> str:
    """Read events until all that are wanted have come; return the cursor after them."""
    left = set(wanted)
    while left:
        page = call(sms_events_list, 200, after=cursor, wait=25)
        cursor = page.cursor
        left -= {(event.guid, event.type_) for event in page.events}
    return cursor


def write_and_find(call: Caller) -> None:
    """Write one message and many, repeat that, find them again."""
    guid = uuid4()
    body = call.new(NUMBER, guid=guid, priority=models.SmsNewPriority.HIGH)
    first = call(sms_messages_create, 201, body=body)
    assert (first.guid, first.status, first.priority, first.is_new) == (
        guid,
        "pending",
        "high",
        True,
    )
    assert not call(sms_messages_create, 200, body=body).is_new
    key, rows = str(uuid4()), [call.new(NUMBER), call.new(NUMBER, sensitive=True)]
    many = call(sms_messages_create_many, 201, body=rows, idempotency_key=key)
    again = call(sms_messages_create_many, 200, body=rows, idempotency_key=key)
    guids = [one.guid for one in many.results]
    assert [one.guid for one in again.results] == guids
    wanted = {guid, *guids}
    page = call(sms_messages_list, 200, tag=TAG, page_size=2)
    assert page.next_
    assert len(page.results) == 2
    for body in (models.SmsSearch(guids=[*wanted]), models.SmsSearch(number=NUMBER)):
        found = call(sms_messages_search, 200, body=body, tag=TAG)
        assert {one.guid for one in found.results} == wanted
    assert call(sms_messages_retrieve, 200, guid).created_at == first.created_at
    counted = call(sms_messages_summary, 200, tag=TAG)
    assert sum(each.messages for each in counted.statuses) == len(wanted)
    call(sms_messages_queue, 200)


def act(call: Caller) -> None:
    """Follow messages by their events, then cancel, refresh and resend."""
    cursor = call(sms_events_list, 200, after="newest").cursor
    now = datetime.now(timezone.utc)
    rows = [call.new(number) for number in (NUMBER, UNREPORTED, UNANSWERED)]
    rows.append(call.new(NUMBER, send_at=now + timedelta(hours=1)))
    written = call(sms_messages_create_many, 201, body=rows)
    sent, asked, unknown, later = written.results
    cancelled = call(sms_messages_cancel, 200, later.guid, body=models.SmsNoFields())
    assert cancelled.status == "cancelled"
    blocked = call(sms_messages_cancel, 409, later.guid, body=models.SmsNoFields())
    assert (blocked.code, blocked.current.guid) == ("state", later.guid)
    wanted = {
        (sent.guid, "message.sent"),
        (asked.guid, "message.accepted"),
        (unknown.guid, "message.unknown"),
        (later.guid, "message.cancelled"),
    }
    cursor = follow(call, cursor, wanted)
    call(sms_messages_refresh, 202, asked.guid, body=models.SmsNoFields())
    accept = models.SmsAcceptDuplicate(accept_duplicate=True)
    assert call(sms_messages_resend, 200, unknown.guid, body=accept).resends == 1
    follow(call, cursor, [(unknown.guid, "message.pending"), (unknown.guid, "message.unknown")])
    changed = call(sms_messages_list, 200, changed_after=now - timedelta(minutes=1), tag=TAG)
    assert {sent.guid, later.guid} <= {one.guid for one in changed.results}


def stop(call: Caller) -> None:
    """Add a number to the stop list, find it, take it off."""
    numbers = ["8 (902) 980-12-12"]
    body = models.SmsNumbersToStop(numbers=numbers, note="asked on the phone")
    assert call(sms_stop_list_create, 201, body=body).added == 1
    assert call(sms_stop_list_list, 200).results[0].note == "asked on the phone"
    found = call(sms_stop_list_search, 200, body=models.SmsNumber(number=numbers[0]))
    assert [one.number for one in found.results] == ["+79029801212"]
    refused = call(sms_messages_create, 400, body=call.new(numbers[0]))
    assert [fault.code for fault in refused.errors] == ["stopped"]
    assert call(sms_stop_list_remove, 200, body=models.SmsNumbers(numbers=numbers)).removed == 1


def fail(call: Caller, stranger: Caller) -> None:
    """Read errors of each kind."""
    rows = [call.new(NUMBER), call.new("8 (495) 123-45-67")]
    refused = call(sms_messages_create_many, 400, body=rows)
    [fault] = refused.errors
    assert (refused.code, refused.count) == ("validation_error", 1)
    assert (fault.index, fault.field, fault.code) == (1, "number", "landline")
    judged = call(sms_messages_create_many, 200, body=rows, dry_run=True, on_error=SKIP)
    assert (judged.messages, judged.segments, judged.errors[0].index) == (1, 1, 1)
    partly = call(sms_messages_create_many, 201, body=rows, on_error=SKIP)
    assert ([one.index for one in partly.results], partly.count) == ([0], 1)
    assert call(sms_messages_create, 200, body=rows[0], dry_run=True).messages == 1
    assert call(sms_messages_retrieve, 404, uuid4()).code == "not_found"
    assert call(sms_events_list, 400, after="x").errors[0].field == "after"
    assert stranger(sms_messages_list, 403).code == "authentication_failed"


if __name__ == "__main__":
    billing = Caller(sys.argv[1])
    write_and_find(billing)
    act(billing)
    stop(billing)
    fail(billing, Caller(sys.argv[1], "wrong"))
