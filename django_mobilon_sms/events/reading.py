"""Read the feed of events, page by page."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured

from ..conf import conf
from ..models import EventFeed, SmsEvent
from . import pages, restoring
from .positions import Position, check_not_expired, cursor_of, parse_cursor

#: The most events of a page.
MAX_LIMIT = 1000

#: How many events a page reads to find those of one user.
SEARCHED = 1000


class Page(NamedTuple):
    """Some events in order, and the cursor to read on from."""

    events: list[SmsEvent]
    cursor: str


def read(after: str | None = None, limit: int = 100, *, created_by: Any = None) -> Page:
    """Return the events after a cursor, at most ``limit``, and the cursor after them.

    ``None`` begins with the oldest event that is kept. No event is skipped, and every event comes
    once: the page ends before the first transaction that is open and may have written events. The
    events of one message come in the order of their ``id``. ``created_by`` is the primary key of a
    user, for the events of the messages that this user wrote; the page may then be empty although
    its cursor has moved.

    Raises ``CursorExpired`` if events after the cursor were deleted, ``InvalidCursor`` for another
    string, ``ValueError`` for a limit outside 1 to 1000, and ``ImproperlyConfigured`` while
    ``MOBILON_SMS_EVENTS`` is not set or a restored database waits for ``manage.py hold_sms``.
    """
    _require_events()
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be from 1 to {MAX_LIMIT}.")
    generation, position = parse_cursor(after) if after is not None else (None, Position(0, 0))
    found = pages.next_events(position, limit if created_by is None else SEARCHED)
    # After the page: an event that was deleted before it was read is known by now.
    feed = EventFeed.objects.current()
    if generation is not None:
        check_not_expired(generation, position, feed, pages.vendor())
    elif not found:
        position = Position.of_deleted(feed)
    if not found:
        restoring.check_not_restored(position)
    events: list[SmsEvent] = []
    for event in found:
        if len(events) == limit:
            break
        position = Position.of(event)
        if created_by is None or event.created_by_id == created_by:
            events.append(event)
    return Page(events, cursor_of(position, feed))


def newest() -> str:
    """Return a cursor from which ``read()`` gives the events that are committed from now on."""
    _require_events()
    feed = EventFeed.objects.current()
    deleted = Position.of_deleted(feed)
    return cursor_of(pages.newest_position(deleted), feed)


def _require_events() -> None:
    if conf.EVENTS is None:
        raise ImproperlyConfigured("No events are written: set MOBILON_SMS_EVENTS, such as '30d'.")
