"""docs/howto/events.rst: its code follows the events, in its order."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from django_mobilon_sms import events
from tests.events.feed import read_on
from tests.support.documents import DOCS, blocks, typed
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

EXECUTED = ["docs/howto/events.rst"]
PAGE = DOCS / "howto/events.rst"
WORKS = "How you see that it works"


def code(section: str) -> list[str]:
    return [block.text for block in blocks(PAGE, section) if block.language == "python"]


def recipe() -> dict:
    """Return the names that the steps define."""
    names: dict = {}
    setting, *steps = code("Steps")
    exec(setting, names)
    assert names["MOBILON_SMS_EVENTS"] == "30d"
    for step in steps:
        exec(step, names)
    return names


def test_page_follows_a_new_message():
    names, [check] = recipe(), code(WORKS)
    calls = names["follow_or_begin_again"]

    def patient(cursor, handle, store):
        """Let the feed catch up: other databases of the server hold it back."""
        read_on(1)
        return calls(cursor, handle, store)

    names["follow_or_begin_again"] = patient
    exec(check, names)
    assert events.read(after=names["cursor"]).events == []


def test_page_begins_again_where_events_were_deleted():
    follow, seen = recipe()["follow_or_begin_again"], []
    [one] = write()
    cursor = read_on(1).cursor
    call_command("hold_sms", "--no-input", stdout=StringIO())  # all cursors expire
    stored: list[str] = []
    fresh = follow(cursor, lambda *event: seen.append(event), stored.append)
    assert seen == [(one.guid, "message.unknown", "held")]
    assert fresh != cursor
    assert stored == [fresh]


def test_commands_print_what_the_page_says():
    for block in blocks(PAGE, WORKS):
        for command in typed(block.text) if block.language == "console" else []:
            output = StringIO()
            call_command(*command.words[2:], stdout=output)
            assert output.getvalue().strip() == command.output
