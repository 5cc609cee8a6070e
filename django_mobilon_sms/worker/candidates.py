"""Which messages to claim next.

Their contents are read before the claim, and not again after it: once written, they never change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, router
from django.db.models import Expression

from ..choices import Priority, Status
from ..conf import is_source
from ..gateway import OutgoingMessage
from ..models import SmsMessage, db_now
from ..phone_numbers import wire_number


class Candidate(NamedTuple):
    """A message that waits; who wins the claim owns it."""

    pk: int
    guid: UUID
    number: str
    text: str
    source: str
    segments: int

    def __repr__(self) -> str:
        return f"<Candidate {self.guid}>"

    def for_the_wire(self) -> OutgoingMessage:
        """What the gateway is given. Raises ``ValueError`` for what it can not be given."""
        if not self.text.strip() or "\0" in self.text or not _is_source(self.source):
            raise ValueError("not for the wire")
        return OutgoingMessage(self.guid, wire_number(self.number), self.text, self.source)


_is_source = lru_cache(is_source)  # most messages have the same


COLUMNS = (*Candidate._fields, "attempts", "resends")


ALL = tuple(Priority)


_SOURCE, _SEGMENTS = COLUMNS.index("source"), COLUMNS.index("segments")


#: In how many parts each of these senders may begin a message now.
Room = Callable[[Sequence[str]], Mapping[str, int]]


def due(
    most: int, size: int, *, only: Sequence[Priority] = ALL, room: Room | None = None
) -> list[list[Candidate]]:
    """At most so many messages of these priorities to claim now, in batches of at most ``size``.

    The sooner priority comes first; what had trouble before is a batch by itself. Where there is
    a pace, senders take turns as far as they have ``room``.
    """
    if room is None:
        return _batches(_rows(most, only)[:most], size)
    turns = [
        (row[-1], turn, row)
        for source, parts in room(senders()).items()
        if parts > 0
        for turn, row in enumerate(_fitting(_rows(most, only, source), parts))
    ]
    turns.sort(key=itemgetter(0, 1))
    return _batches([row for *_, row in turns[:most]], size)


def pending(
    pks: Sequence[int],
    size: int,
    *,
    only: Sequence[Priority] = ALL,
    room: Room | None = None,
) -> list[list[Candidate]]:
    """Which of these messages to claim next, whatever their time: one batch, or none."""
    waiting = SmsMessage.objects.for_write().unexpired().filter(pk__in=pks, status=Status.PENDING)
    ordered = waiting.filter(priority__in=only).order_by("priority", "pk")
    rows: Iterable[Sequence[Any]] = ordered.values_list(*COLUMNS)[:size]
    if room is not None:
        by_sender = _by_sender(rows)
        parts = room(list(by_sender))
        rows = [row for source, each in by_sender.items() for row in _fitting(each, parts[source])]
    return _batches(rows, size)[:1]


def senders(pks: Sequence[int] | None = None) -> list[str]:
    """The senders that have a message waiting, among these messages or among all."""
    waiting = SmsMessage.objects.for_write().filter(status=Status.PENDING)
    if pks is not None:
        return list(waiting.filter(pk__in=pks).values_list("source", flat=True).distinct())
    found, rows = [""], waiting.order_by("source").values_list("source", flat=True)
    # From one to the next by the index, all of which a DISTINCT would read.
    while (source := rows.filter(source__gt=found[-1]).first()) is not None:
        found.append(source)
    return found[1:]


def _by_sender(rows: Iterable[Sequence[Any]]) -> dict[str, list[Sequence[Any]]]:
    found: dict[str, list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        found[row[_SOURCE]].append(row)
    return found


def _fitting(rows: Iterable[Sequence[Any]], parts: int) -> Iterator[Sequence[Any]]:
    """The first of these, each begun while there is room."""
    for row in rows:
        if parts <= 0:
            return
        parts -= row[_SEGMENTS]
        yield row


def _rows(most: int, only: Sequence[Priority], source: str | None = None) -> list[Sequence[Any]]:
    alias = router.db_for_write(SmsMessage)
    with connections[alias].cursor() as cursor:
        cursor.execute(*_due(alias, most, tuple(only), source, db_now()))
        return sorted(cursor.fetchall(), key=itemgetter(-1))  # each priority's own order stays


@lru_cache
def _due(
    alias: str, most: int, only: tuple[Priority, ...], source: str | None, now: Expression
) -> tuple[str, tuple[Any, ...]]:
    """The first of each priority, in one query; what it is built of is the key of its cache.

    Django takes longer to build it than a database to run it. And one query for all priorities,
    in their order, would walk through the future messages of the sooner ones.
    """
    messages = SmsMessage.objects.using(alias).due().order_by("due_at", "pk")
    if source is not None:
        messages = messages.filter(source=source)
    selects, parameters = [], []
    for priority in only:
        rows = messages.filter(priority=priority).values_list(*COLUMNS, "priority")
        sql, values = rows[:most].query.get_compiler(alias).as_sql()
        selects.append(f"SELECT * FROM ({sql}) {priority.name}")  # noqa: S608  Django's own SQL
        parameters += values
    return " UNION ALL ".join(selects), tuple(parameters)


def _batches(rows: Iterable[Sequence[Any]], size: int) -> list[list[Candidate]]:
    batches: list[list[Candidate]] = []
    together: list[Candidate] = []
    for pk, guid, number, text, source, segments, attempts, resends, *_ in rows:
        # Read past Django's converters, some databases give a UUID as its text.
        known = guid if isinstance(guid, UUID) else UUID(guid)
        candidate = Candidate(pk, known, number, text, source, segments)
        if attempts or resends:
            batches.append([candidate])
        elif together and len(together) < size:
            together.append(candidate)
        else:
            together = [candidate]
            batches.append(together)
    return batches
