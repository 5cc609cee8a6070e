"""Which messages to claim next.

A message is read before its claim and not again after it: once written, its contents never change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, router
from django.db.models import Expression

from ..choices import Priority, Status
from ..conf import is_source
from ..gateway import OutgoingMessage
from ..limits import pace
from ..models import SmsMessage, db_now
from ..phone_numbers import wire_number


class Candidate(NamedTuple):
    """A pending message, as it was read; the worker that claims it may send it."""

    pk: int
    guid: UUID
    number: str
    text: str
    source: str
    segments: int
    attempts: int = 0
    resends: int = 0
    priority: int = Priority.NORMAL  # the last one: ``_first()`` sorts by it

    def __repr__(self) -> str:
        return f"<Candidate {self.guid}>"

    def outgoing(self) -> OutgoingMessage:
        """Return what the gateway gets. Raises ``ValueError`` for what it cannot be given."""
        if not self.text.strip() or "\0" in self.text or not _is_source(self.source):
            raise ValueError("not for the wire")
        return OutgoingMessage(self.guid, wire_number(self.number), self.text, self.source)


def for_the_wire(messages: Iterable[Candidate]) -> tuple[list[OutgoingMessage], list[int]]:
    """Return the messages for the gateway, and the primary keys of those it cannot be given."""
    outgoing, invalid = [], []
    for message in messages:
        try:
            outgoing.append(message.outgoing())
        except ValueError:
            invalid.append(message.pk)
    return outgoing, invalid


_is_source = lru_cache(is_source)  # because most messages have the same sender


ALL = tuple(Priority)


#: Returns for each of these senders in how many segments it may begin a message now.
RoomOf = Callable[[Sequence[str]], Mapping[str, pace.Room]]


def due(
    limit: int, batch_size: int, *, priorities: Sequence[Priority] = ALL, room: RoomOf | None = None
) -> list[list[Candidate]]:
    """Return at most ``limit`` due messages in batches, the most urgent priority first.

    A message that had trouble before is a batch of its own. Where there is a pace, senders take
    turns within their ``room``.
    """
    if room is None:
        return _batches(_first(limit, priorities), batch_size)
    turns = [
        (candidate.priority, turn, candidate)
        for source, own_room in room(senders()).items()
        if own_room.urgent > 0
        for turn, candidate in enumerate(_fitting(_first(limit, priorities, source), own_room))
    ]
    turns.sort(key=itemgetter(0, 1))
    return _batches([candidate for *_, candidate in turns[:limit]], batch_size)


def pending(
    pks: Sequence[int],
    batch_size: int,
    *,
    priorities: Sequence[Priority] = ALL,
    room: RoomOf | None = None,
) -> list[list[Candidate]]:
    """Return one batch of these messages, or none; ``due_at`` does not matter."""
    waiting = SmsMessage.objects.for_write().unexpired().filter(pk__in=pks, status=Status.PENDING)
    ordered = waiting.filter(priority__in=priorities).order_by("priority", "pk")
    rows = ordered.values_list(*Candidate._fields)[:batch_size]
    candidates = [Candidate(*row) for row in rows]
    if room is not None:
        own_by_sender = by_sender(candidates)
        rooms = room(list(own_by_sender))
        candidates = [
            candidate
            for source, own in own_by_sender.items()
            for candidate in _fitting(own, rooms[source])
        ]
    return _batches(candidates, batch_size)[:1]


def senders(pks: Sequence[int] | None = None) -> list[str]:
    """Return the senders that have a pending message, among these messages or among all."""
    waiting = SmsMessage.objects.for_write().filter(status=Status.PENDING)
    if pks is not None:
        return list(waiting.filter(pk__in=pks).values_list("source", flat=True).distinct())
    found, rows = [""], waiting.order_by("source").values_list("source", flat=True)
    # Step from one sender to the next in the index, because a DISTINCT would read all of it.
    while (source := rows.filter(source__gt=found[-1]).first()) is not None:
        found.append(source)
    return found[1:]


def by_sender(candidates: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    """Return the messages of each sender."""
    found: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        found[candidate.source].append(candidate)
    return found


def _fitting(candidates: Iterable[Candidate], room: pace.Room) -> Iterator[Candidate]:
    """Yield the first of these messages, as long as segments are left to begin one in."""
    begun = 0
    for candidate in candidates:
        if begun >= (room.urgent if candidate.priority == Priority.HIGH else room.others):
            return
        begun += candidate.segments
        yield candidate


def _first(
    limit: int, priorities: Sequence[Priority], source: str | None = None
) -> list[Candidate]:
    """Return the first due messages, of all senders or of one."""
    alias = router.db_for_write(SmsMessage)
    with connections[alias].cursor() as cursor:
        cursor.execute(*_due(alias, limit, tuple(priorities), source, db_now()))
        # By priority, the last column; the sort is stable, so each priority keeps its own order.
        rows = sorted(cursor.fetchall(), key=itemgetter(-1))
    return [_candidate(*row) for row in rows[:limit]]


def _candidate(pk: int, guid: UUID | str, *values: Any) -> Candidate:
    # Some databases give a UUID as text, because the rows are read past Django's converters.
    return Candidate(pk, guid if isinstance(guid, UUID) else UUID(guid), *values)


@lru_cache
def _due(
    alias: str, limit: int, priorities: tuple[Priority, ...], source: str | None, now: Expression
) -> tuple[str, tuple[Any, ...]]:
    """Build one query for the first due messages of each priority; its parts are the cache's key.

    It is cached because Django takes longer to build it than a database to run it. It has a SELECT
    for each priority because one for all, ordered by priority, would walk through the future
    messages of the more urgent ones.
    """
    rows = SmsMessage.objects.using(alias).due().order_by("due_at", "pk")
    if source is not None:
        rows = rows.filter(source=source)
    columns = rows.values_list(*Candidate._fields)
    queries = [columns.filter(priority=priority)[:limit].query for priority in priorities]
    selects = [query.get_compiler(alias).as_sql() for query in queries]
    # Django's own union() cannot limit each SELECT on SQLite.
    union = " UNION ALL ".join(
        f"SELECT * FROM ({sql}) {priority.name}"  # noqa: S608  Django's own SQL
        for priority, (sql, _) in zip(priorities, selects)
    )
    return union, tuple(chain.from_iterable(parameters for _, parameters in selects))


def _batches(candidates: Iterable[Candidate], batch_size: int) -> list[list[Candidate]]:
    """Fill batches in order; a message that had trouble before takes no other with it."""
    batches: list[list[Candidate]] = []
    together: list[Candidate] = []
    for candidate in candidates:
        if candidate.attempts or candidate.resends:
            batches.append([candidate])
        elif together and len(together) < batch_size:
            together.append(candidate)
        else:
            together = [candidate]
            batches.append(together)
    return batches
