"""docs/reference/commands.rst: the sandbox's numbers that always end in the same way."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.core.management import call_command

from django_mobilon_sms.models import GatewayState, SmsMessage
from django_mobilon_sms.phone_numbers import normalize_number, wire_number
from django_mobilon_sms.sandbox.magic_numbers import COURSES
from tests.support.documents import DOCS, blocks, table
from tests.support.messages import write

EXECUTED = [("docs/reference/commands.rst", "sms_sandbox")]
PAGE = DOCS / "reference/commands.rst"
ROWS = table(PAGE, "magic-numbers-table")

pytestmark = pytest.mark.django_db(transaction=True)


def ending(number: str) -> str:
    """Return the status of a message to the number after it was sent and queried."""
    [message] = write(number=number)
    with suppress(SystemExit):
        call_command("send_sms", "--no-refresh")
    query()
    message.refresh_from_db()
    return message.status


def query() -> None:
    """Query the status of every message that is under way."""
    SmsMessage.objects.all().check_soon()
    call_command("send_sms", "--refresh-only")


def test_every_number_is_listed():
    assert {wire_number(normalize_number(number)) for number, *_ in ROWS} == {*COURSES}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_message_ends_as_the_table_says(row, sandbox, settings):
    number, _what, configured, bare = row
    assert ending(number) == bare
    [block] = [block for block in blocks(PAGE, "sms_sandbox") if block.language == "python"]
    values: dict[str, object] = {}
    exec(block.text, values)
    for name, value in values.items():
        if name.isupper():
            setattr(settings, name, value)
    GatewayState.objects.try_now()
    assert ending(number) == configured


def test_a_delivered_message_is_sent_first(sandbox, settings):
    settings.MOBILON_SMS_STATUS_REPLIES = {1: "sent", 2: "delivered"}
    number = "+79350000003"
    sandbox.sent_after = 3600
    assert ending(number) == "accepted"
    [received] = sandbox.messages
    object.__setattr__(received, "at", received.at - 3600)
    query()
    assert SmsMessage.objects.get().status == "sent"
    object.__setattr__(received, "at", received.at - 3600)
    query()
    assert SmsMessage.objects.get().status == "delivered"


def test_a_delivered_message_stays_sent_without_the_settings(sandbox):
    sandbox.sent_after = 3600
    ending("+79350000003")
    [received] = sandbox.messages
    for status in ("sent", "sent"):
        object.__setattr__(received, "at", received.at - 3600)
        query()
        assert SmsMessage.objects.get().status == status


def test_other_messages_of_the_request_are_sent(sandbox):
    write()
    assert ending("+79350000005") == "unknown"
    assert sorted(SmsMessage.objects.values_list("status", flat=True)) == ["sent", "unknown"]
    assert len(sandbox.posts) == 1
    assert len(sandbox.messages) == 2


def test_a_refused_message_is_not_among_the_received(sandbox):
    assert ending("+79350000004") == "unknown"
    assert sandbox.messages == []
