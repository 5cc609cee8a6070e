"""Delete old events in the order of the feed, so that one place says which cursors have expired."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, Q

from ..conf import conf, parse_duration
from ..models import (
    RETRY_SECONDS,
    EventFeed,
    GatewayState,
    SmsEvent,
    chunked,
    db_now,
    retry_on_lock,
)
from . import pages
from .positions import Position, parse_cursor

logger = logging.getLogger(__name__)

#: Few, because a transaction should not hold its locks for long.
EVENTS_PER_TRANSACTION = 500

#: How much longer events are kept for a consumer that has not read them.
GRACE = timedelta(days=3)


class Deleted(NamedTuple):
    """The number of deleted events, and how many of them a consumer never read."""

    events: int = 0
    dropped: int = 0


def delete_old(cursors: Iterable[str] = ()) -> Deleted:
    """Delete the events that are older than ``MOBILON_SMS_EVENTS``.

    ``cursors`` are those of the configured consumers. An event that one of them has not read is
    deleted three days later, counted in ``EventFeed.dropped`` and logged.
    """
    read_up_to = _read_by_all(cursors)
    deleted = Deleted()
    for chunk in chunked(_old(read_up_to), EVENTS_PER_TRANSACTION):
        delete = partial(_delete, chunk, read_up_to)
        alias = SmsEvent.objects.for_write().db
        one = retry_on_lock(delete, using=alias, seconds=RETRY_SECONDS)
        deleted = Deleted(deleted.events + one.events, deleted.dropped + one.dropped)
    if deleted.dropped:
        logger.error("events.dropped count=%d", deleted.dropped)
    return deleted


def count_old(cursors: Iterable[str] = ()) -> Deleted:
    """Count what ``delete_old()`` would delete."""
    read_up_to = _read_by_all(cursors)
    dropped = [not _is_read(event, read_up_to) for event in _old(read_up_to)]
    return Deleted(len(dropped), sum(dropped))


def _read_by_all(cursors: Iterable[str]) -> Position | None:
    """Return the place up to which every consumer has had the events; ``None`` without one.

    A cursor from before a restore says nothing of these events.
    """
    generation = EventFeed.objects.current().generation
    places = (
        place if given == generation else Position(0, 0)
        for given, place in map(parse_cursor, cursors)
    )
    return min(places, default=None, key=_place)


def _place(position: Position) -> tuple[int, ...]:
    return tuple(position) if pages.vendor() == "postgresql" else (position.id,)


def _is_read(event: SmsEvent, read_up_to: Position | None) -> bool:
    return read_up_to is None or _place(Position.of(event)) <= _place(read_up_to)


def _old(read_up_to: Position | None) -> Iterator[SmsEvent]:
    """Yield the events to delete, the oldest first."""
    if conf.EVENTS is None:
        return iter(())
    kept, now = parse_duration(conf.EVENTS), GatewayState.objects.peek().now

    def is_old(event: SmsEvent) -> bool:
        ends: datetime = (
            event.created_at + kept + (timedelta() if _is_read(event, read_up_to) else GRACE)
        )
        return ends < now

    return takewhile(is_old, _from_oldest())


def _from_oldest() -> Iterator[SmsEvent]:
    feed = EventFeed.objects.current()
    position = Position.of_deleted(feed)
    while found := pages.next_events(position, EVENTS_PER_TRANSACTION):
        yield from found
        position = Position.of(found[-1])


def _delete(events: list[SmsEvent], read_up_to: Position | None) -> Deleted:
    """Delete these events and begin the feed after them, unless another purge has."""
    last = Position.of(events[-1])
    before = Q(deleted_id__lt=last.id)
    if pages.vendor() == "postgresql":
        same_order = Q(deleted_order=last.order, deleted_id__lt=last.id)
        before = Q(deleted_order__lt=last.order) | same_order
    feed = EventFeed.objects.stored()
    with transaction.atomic(using=feed.db):
        if not feed.filter(before).update(deleted_order=last.order, deleted_id=last.id):
            return Deleted()
        count, _ = (
            SmsEvent.objects.using(feed.db).filter(pk__in=[one.pk for one in events]).delete()
        )
        dropped = sum(not _is_read(event, read_up_to) for event in events)
        if dropped:
            feed.update(dropped=F("dropped") + dropped, dropped_at=db_now())
    return Deleted(count, dropped)
