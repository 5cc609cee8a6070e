"""Pages of events that no transaction can still write into: a way for each database.

The ids of events are not the order of their commits, so a reader must not pass an event of a
transaction that is still open. PostgreSQL knows the oldest open transaction. SQLite has one writer
at a time. MariaDB shows uncommitted rows to whoever asks for them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import connections, router
from django.db.models import BigIntegerField, Func, QuerySet

from ..models import SmsEvent
from .positions import GREATEST, After, Position

#: How many of the last events are searched for uncommitted ones, on MariaDB.
UNCOMMITTED_AMONG = 10_000


class OldestOpen(Func):
    """The id of the oldest open transaction on PostgreSQL, or of the next one."""

    template = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    output_field = BigIntegerField()
    arity = 0


def vendor() -> str:
    """Return the vendor of the database that has the events."""
    return str(connections[router.db_for_write(SmsEvent)].vendor)


def next_events(after: Position, limit: int) -> list[SmsEvent]:
    """Return the next events, none of which another can still be written before."""
    return PAGES[vendor()](after, limit)


def newest_position(deleted: Position) -> Position:
    """Return the place from which a reader gets the events that are committed from now on."""
    if vendor() == "postgresql":
        with connections[router.db_for_write(SmsEvent)].cursor() as cursor:
            cursor.execute(f"SELECT {OldestOpen.template}")
            return Position(cursor.fetchone()[0] - 1, GREATEST)
    newest = newest_id()
    if vendor() == "mysql":
        newest = min((id_ - 1 for id_ in uncommitted(newest)), default=newest)
    return Position(0, max(newest, deleted.id))


def newest_id() -> int:
    """Return the id of the newest committed event, or 0."""
    return SmsEvent.objects.for_write().order_by("-id").values_list("id", flat=True).first() or 0


def uncommitted(newest: int) -> dict[int, datetime]:
    """Return the ids and the times of the last events of open transactions, on MariaDB.

    ``newest`` is the id of the newest committed event. An event may have been committed or rolled
    back since.
    """
    first = max(0, newest - UNCOMMITTED_AMONG)
    written = _with_uncommitted(first, UNCOMMITTED_AMONG)
    known = set(_by_id(first).values_list("id", flat=True))
    return {id_: at for id_, at in written.items() if id_ not in known}


def _before_oldest_open(after: Position, limit: int) -> list[SmsEvent]:
    settled = SmsEvent.objects.for_write().filter(After(after), commit_order__lt=OldestOpen())
    return list(settled.order_by("commit_order", "id")[:limit])


def _all_committed(after: Position, limit: int) -> list[SmsEvent]:
    return list(_by_id(after.id)[:limit])


def _up_to_uncommitted(after: Position, limit: int) -> list[SmsEvent]:
    """Read the ids with the uncommitted ones, then the events; stop before the first uncommitted.

    InnoDB holds its lock on the counter during an ``INSERT ... SELECT``, so that the ids of one
    statement are inserted before another gets any, and the first read misses none below its last.
    It also misses what an open transaction has deleted, which the second read still finds.
    """
    written = _with_uncommitted(after.id, limit)
    committed = _by_id(after.id).filter(id__lte=max(written, default=0))[:limit]
    found = list(committed)
    known = {event.id for event in found}
    end = min((id_ for id_ in written if id_ not in known), default=GREATEST)
    return [event for event in found if event.id < end]


def _with_uncommitted(after: int, limit: int) -> dict[int, datetime]:
    """Return the ids and times of the next events, also of transactions that are still open.

    On a connection of its own inside a transaction, because that keeps its isolation level.
    """
    connection: Any = connections[router.db_for_write(SmsEvent)]
    is_ours = not connection.in_atomic_block and connection.get_autocommit()
    reader = connection if is_ours else connection.copy()
    sql, parameters = _by_id(after).values_list("id", "created_at")[:limit].query.sql_with_params()
    try:
        with reader.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
            cursor.execute(sql, parameters)
            return dict(cursor.fetchall())
    finally:
        if not is_ours:
            reader.close()


def _by_id(after: int) -> QuerySet[SmsEvent]:
    return SmsEvent.objects.for_write().filter(id__gt=after).order_by("id")


PAGES: dict[str, Callable[[Position, int], list[SmsEvent]]] = {
    "postgresql": _before_oldest_open,
    "sqlite": _all_committed,
    "mysql": _up_to_uncommitted,
}
