"""Readers of the feed, as the tests need them."""

from __future__ import annotations

from django_mobilon_sms import events
from django_mobilon_sms.models import SmsEvent
from tests.support.workers import wait_until


def changes(found: list[SmsEvent]) -> list[tuple[int, str, str]]:
    """Return the message, the old and the new status of events."""
    return [(event.message_id, event.old_status, event.status) for event in found]


def read_on(count: int, after: str | None = None, limit: int = 100) -> events.Page:
    """Read pages until there are so many events, and return all of them as one page.

    On PostgreSQL, transactions of other databases of the same server hold the feed back too.
    """
    found: list[SmsEvent] = []
    cursor = after

    def is_there() -> bool:
        nonlocal cursor
        page = events.read(after=cursor, limit=limit)
        cursor = page.cursor
        found.extend(page.events)
        return len(found) >= count

    wait_until(is_there)
    return events.Page(found, str(cursor))
