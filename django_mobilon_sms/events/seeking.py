"""The place of a time in the feed, and the number of events after a place."""

from __future__ import annotations

from datetime import datetime

from ..models import SmsEvent
from . import pages
from .positions import After, Position, cursor_of, parse_cursor
from .reading import current_feed


def since(time: datetime) -> str:
    """Return a cursor from which ``read()`` gives all events from this time on that are kept.

    Earlier events may be among them, because the feed has the order of the commits.
    """
    feed = current_feed()
    # Before the first transaction that is open: its events may be of this time, too.
    first = pages.newest_position(Position(feed.deleted_order, feed.deleted_id))
    events = SmsEvent.objects.for_write().filter(created_at__gte=time)
    event = events.order_by("commit_order", "id").first()
    if event is not None:
        first = min(first, Position(event.commit_order, event.id - 1))
    return cursor_of(first, feed)


def count_after(cursor: str | None, most: int) -> int:
    """Return the number of events after a cursor that are committed, but at most ``most``."""
    position = Position(0, 0) if cursor is None else parse_cursor(cursor)[1]
    after = SmsEvent.objects.for_write().filter(After(position))
    return after.order_by().values("pk")[:most].count()
