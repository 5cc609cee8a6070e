"""Cursors for the oldest event and for a time, and the number of events after a cursor."""

from __future__ import annotations

from datetime import datetime

from ..models import EventFeed, SmsEvent
from . import pages
from .positions import After, Position, cursor_of, parse_cursor


def oldest() -> str:
    """Return a cursor from which ``read()`` gives all events that are kept."""
    feed = EventFeed.objects.current()
    return cursor_of(Position.of_deleted(feed), feed)


def since(time: datetime) -> str:
    """Return a cursor from which ``read()`` gives all events from this time on that are kept.

    Earlier events may be among them, because the feed has the order of the commits.
    """
    feed = EventFeed.objects.current()
    # Before the first transaction that is open: its events may be of this time, too.
    first = pages.newest_position(Position.of_deleted(feed))
    events = SmsEvent.objects.for_write().filter(created_at__gte=time)
    event = events.order_by("commit_order", "id").first()
    if event is not None:
        first = min(first, Position(event.commit_order, event.id - 1))
    return cursor_of(first, feed)


def count_after(cursor: str, most: int) -> int:
    """Return the number of events after a cursor that are committed, but at most ``most``."""
    _generation, position = parse_cursor(cursor)
    after = SmsEvent.objects.for_write().filter(After(position))
    return after.order_by().values("pk")[:most].count()
