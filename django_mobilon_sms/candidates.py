"""Which messages to claim next.

Their contents are read before the claim, and not again after it: once written, they never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, router
from django.db.models import Expression

from .choices import Priority, Status
from .clock import db_now
from .models import SmsMessage
from .phone_numbers import wire_number
from .setting_shapes import is_source
from .wire import OutgoingMessage


class Candidate(NamedTuple):
    """A message that waits; who wins the claim owns it."""

    pk: int
    guid: UUID
    number: str
    text: str
    source: str

    def __repr__(self) -> str:
        return f"<Candidate {self.guid}>"

    def for_the_wire(self) -> OutgoingMessage:
        """What the gateway is given. Raises ``ValueError`` for what it can not be given."""
        if not self.text.strip() or "\0" in self.text or not _is_source(self.source):
            raise ValueError("not for the wire")
        return OutgoingMessage(self.guid, wire_number(self.number), self.text, self.source)


_is_source = lru_cache(is_source)  # most messages have the same

COLUMNS = (*Candidate._fields, "attempts", "resends")


def due(most: int, size: int) -> list[list[Candidate]]:
    """At most so many messages to claim now, in batches of at most ``size``.

    The sooner priority comes first; what had trouble before is a batch by itself.
    """
    alias = router.db_for_write(SmsMessage)
    with connections[alias].cursor() as cursor:
        cursor.execute(*_due(alias, most, db_now()))
        rows = cursor.fetchall()
    rows = sorted(rows, key=itemgetter(-1))  # by priority; each query's own order stays
    return _batches(rows[:most], size)


def pending(pks: Sequence[int], size: int) -> list[list[Candidate]]:
    """Which of these messages to claim next, whatever their time: one batch, or none."""
    waiting = SmsMessage.objects.on_primary().unexpired().filter(pk__in=pks, status=Status.PENDING)
    rows = waiting.order_by("priority", "pk").values_list(*COLUMNS)[:size]
    return _batches(rows, size)[:1]


@lru_cache
def _due(alias: str, most: int, now: Expression) -> tuple[str, tuple[Any, ...]]:
    """The first of each priority, in one query; what it is built of is the key of its cache.

    Django takes longer to build it than a database to run it. And one query for all priorities,
    in their order, would walk through the future messages of the sooner ones.
    """
    messages = SmsMessage.objects.using(alias).due().order_by("due_at", "pk")
    selects, parameters = [], []
    for priority in Priority:
        rows = messages.filter(priority=priority).values_list(*COLUMNS, "priority")
        sql, values = rows[:most].query.get_compiler(alias).as_sql()
        selects.append(f"SELECT * FROM ({sql}) {priority.name}")  # noqa: S608  Django's own SQL
        parameters += values
    return " UNION ALL ".join(selects), tuple(parameters)


def _batches(rows: Iterable[Sequence[Any]], size: int) -> list[list[Candidate]]:
    batches: list[list[Candidate]] = []
    together: list[Candidate] = []
    for pk, guid, number, text, source, attempts, resends, *_ in rows:
        # Read past Django's converters, some databases give a UUID as its text.
        known = guid if isinstance(guid, UUID) else UUID(guid)
        candidate = Candidate(pk, known, number, text, source)
        if attempts or resends:
            batches.append([candidate])
        elif together and len(together) < size:
            together.append(candidate)
        else:
            together = [candidate]
            batches.append(together)
    return batches
