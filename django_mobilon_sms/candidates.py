"""Which messages to claim next.

Their contents are read before the claim, and not again after it: once written, they never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, router
from django.db.models import Expression

from .choices import Priority, Status
from .clock import db_now
from .models import SmsMessage


class Candidate(NamedTuple):
    """A message that waits; who wins the claim owns it."""

    pk: int
    guid: UUID
    number: str
    text: str
    source: str

    def __repr__(self) -> str:
        return f"<Candidate {self.guid}>"


COLUMNS = (*Candidate._fields, "attempts", "resends")


def due(size: int) -> list[Candidate]:
    """Messages to claim now: the sooner priority first, and what had trouble before alone."""
    alias = router.db_for_write(SmsMessage)
    with connections[alias].cursor() as cursor:
        cursor.execute(*_due(alias, size, db_now()))
        rows = cursor.fetchall()
    return _together(sorted(rows, key=lambda row: row[len(COLUMNS) :])[:size])


def pending(pks: Sequence[int], size: int) -> list[Candidate]:
    """Which of these messages to claim next, whatever their time."""
    waiting = SmsMessage.objects.on_primary().unexpired().filter(pk__in=pks, status=Status.PENDING)
    return _together(waiting.order_by("priority", "pk").values_list(*COLUMNS)[:size])


@lru_cache
def _due(alias: str, size: int, now: Expression) -> tuple[str, tuple[Any, ...]]:
    """The first of each priority, in one query; what it is built of is the key of its cache.

    Django takes longer to build it than a database to run it. And one query for all priorities,
    in their order, would walk through the future messages of the sooner ones.
    """
    messages = SmsMessage.objects.using(alias).due().order_by("due_at", "pk")
    selects, parameters = [], []
    for priority in Priority:
        rows = messages.filter(priority=priority).values_list(*COLUMNS, "priority", "due_at", "pk")
        sql, values = rows[:size].query.get_compiler(alias).as_sql()
        selects.append(f"SELECT * FROM ({sql}) {priority.name}")  # noqa: S608  Django's own SQL
        parameters += values
    return " UNION ALL ".join(selects), tuple(parameters)


def _together(rows: Iterable[Sequence[Any]]) -> list[Candidate]:
    found = []
    for pk, guid, number, text, source, attempts, resends, *_ in rows:
        # Read past Django's converters, some databases give a UUID as its text.
        known = guid if isinstance(guid, UUID) else UUID(guid)
        candidate = Candidate(pk, known, number, text, source)
        if not attempts and not resends:
            found.append(candidate)
        elif not found:
            return [candidate]
    return found
