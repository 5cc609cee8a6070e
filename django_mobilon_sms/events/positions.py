"""A place in the feed, and the cursor that holds it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, BooleanField, Expression

from ..exceptions import CursorExpired, InvalidCursor
from ..models import EventFeed, SmsEvent

#: The greatest number that a column holds.
GREATEST = BigIntegerField.MAX_BIGINT

_CURSOR = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})\.([0-9]{1,19})", re.ASCII)


class Position(NamedTuple):
    """A place in the feed, just after an event. Compares as the feed is ordered on PostgreSQL."""

    order: int
    id: int

    @classmethod
    def of(cls, event: SmsEvent) -> Position:
        """Return the place of an event."""
        return cls(event.commit_order, event.id)

    @classmethod
    def of_deleted(cls, feed: EventFeed) -> Position:
        """Return the place of the newest event that was deleted."""
        return cls(feed.deleted_order, feed.deleted_id)


class After(Expression):
    """The condition for events after a place."""

    conditional = True

    def __init__(self, position: Position) -> None:
        super().__init__(output_field=BooleanField())
        self.position = position

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Compare the id, which alone orders the feed on SQLite and MariaDB."""
        return f"{connection.ops.quote_name('id')} > %s", (self.position.id,)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Compare both numbers in one row value, so that the index serves."""
        return '("commit_order", "id") > (%s, %s)', tuple(self.position)


def cursor_of(position: Position, feed: EventFeed) -> str:
    """Return the cursor of a place. It is opaque to its readers."""
    return f"{feed.generation}.{position.order}.{position.id}"


def parse_cursor(cursor: str) -> tuple[int, Position]:
    """Return the generation and the place of a cursor. Raises ``InvalidCursor``."""
    match = _CURSOR.fullmatch(cursor) if isinstance(cursor, str) else None
    numbers = [int(digits) for digits in match.groups()] if match else [GREATEST + 1]
    if max(numbers) > GREATEST:
        raise InvalidCursor
    generation, order, id_ = numbers
    return generation, Position(order, id_)


def check_not_expired(generation: int, position: Position, feed: EventFeed, vendor: str) -> None:
    """Raise ``CursorExpired`` if an event after the place was deleted, or may have been lost."""
    deleted = Position.of_deleted(feed)
    is_before = position < deleted if vendor == "postgresql" else position.id < deleted.id
    if is_before or generation != feed.generation:
        raise CursorExpired
