"""The limit of messages to one number within an hour, whoever writes them.

They are counted and written under one lock: a transaction locks the numbers that it writes to
before its INSERT, and others that write to one of them wait until it ends. Nothing is locked while
no limit is set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connections
from django.utils.translation import gettext_lazy as _

from ..choices import NOT_SENT
from ..conf import conf
from ..models import NumberLock, SmsMessage, chunked, db_now

HOUR = timedelta(hours=1)

LIMIT_REACHED = _("Only %(most)d messages an hour are written to one number. Try again later.")
TOO_MANY = _("Only %(most)d messages an hour are written to one number, and here are more.")


def make_locks(numbers: Iterable[str]) -> None:
    """Make the rows that ``lock_numbers()`` locks, if there is a limit; before the transaction."""
    if conf.HOURLY_PER_NUMBER is not None:
        NumberLock.objects.for_write().make(numbers)


def lock_numbers(numbers: Iterable[str]) -> None:
    """Lock these numbers until the transaction ends, if there is a limit.

    Call this before the INSERT and once in a transaction, for all its numbers. A transaction that
    calls it again can meet a deadlock, which raises ``OperationalError``.
    """
    if conf.HOURLY_PER_NUMBER is not None:
        NumberLock.objects.for_write().lock(numbers)


def over_limit(new: Sequence[SmsMessage], refused: Collection[UUID]) -> dict[UUID, ValidationError]:
    """Return an error, by guid, for each new message beyond the hourly limit of its number.

    The new messages are in the database already, and their numbers are locked. Those that are
    ``refused`` for another reason do not count.
    """
    most = conf.HOURLY_PER_NUMBER
    if most is None:
        return {}
    written = _written({message.number for message in new}, {message.guid for message in new})
    here: Counter[str] = Counter()
    errors, params = {}, {"most": most}
    for message in new:
        if message.guid in refused:
            continue
        here[message.number] += 1
        count = here[message.number]
        if count > most:
            error = ValidationError(TOO_MANY, code="too_many", params=params)
        elif written[message.number] + count > most:
            error = ValidationError(LIMIT_REACHED, code="number_limit", params=params)
        else:
            continue
        errors[message.guid] = ValidationError({"number": error})
    return errors


class HourlyRoom:
    """How many messages each number of a list may still get."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}

    def look_up(self, numbers: Collection[str]) -> None:
        """Count what is written to these numbers, unless they were looked up before."""
        if (most := conf.HOURLY_PER_NUMBER) is not None:
            unknown = set(numbers) - self._left.keys()
            written = _written(unknown)
            self._left |= {number: most - written[number] for number in unknown}

    def take(self, number: str) -> str:
        """Take one message for the number; return why there is no room, if there is none."""
        if conf.HOURLY_PER_NUMBER is None:
            return ""
        self._left[number] -= 1
        return "" if self._left[number] >= 0 else LIMIT_REACHED % {"most": conf.HOURLY_PER_NUMBER}


def _written(numbers: Collection[str], without: Collection[UUID] = ()) -> Counter[str]:
    """Count the messages to each of these numbers, without those with these guids."""
    # Rows of a later time were written while the clock was ahead.
    hour = (db_now() - HOUR, db_now() + HOUR)
    rows = SmsMessage.objects.for_write().filter(created_at__range=hour)
    rows = rows.exclude(status__in=NOT_SENT)
    if _may_miss_commits(rows.db):
        rows = rows.select_for_update()
    found: list[tuple[UUID, str]] = []
    for chunk in chunked(numbers):
        found += rows.filter(number__in=chunk).values_list("guid", "number")
    return Counter(number for guid, number in found if guid not in without)


def _may_miss_commits(alias: str) -> bool:
    """Whether a SELECT may miss what was committed before the lock.

    It may in a transaction of MySQL or MariaDB that repeats its reads. PostgreSQL refuses the lock
    in such a transaction, and SQLite the INSERT.
    """
    connection: Any = connections[alias]
    return bool(connection.vendor == "mysql" and connection.isolation_level != "read committed")
