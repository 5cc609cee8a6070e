"""Locks for numbers, so that messages to one number are counted and written one after another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

from django.db import connections, models
from django.utils.translation import gettext_lazy as _

from ..database import PrimaryQuerySet, db_now

#: Numbers share so many rows. Two that share a row only wait for one another.
SLOTS = 1024


class NumberLockQuerySet(PrimaryQuerySet):
    """The rows to lock."""

    def make(self, numbers: Iterable[str]) -> None:
        """Commit the missing rows of these numbers, on MySQL and MariaDB and outside a transaction.

        There, transactions that wait for a new row meet a deadlock when its INSERT is rolled back.
        """
        connection: Any = connections[self.db]
        if connection.vendor != "mysql" or connection.in_atomic_block:
            return
        slots = _slots(numbers)
        found = set(self.filter(pk__in=slots).values_list("pk", flat=True))
        missing = [self.model(pk=slot, locked_at=db_now()) for slot in slots if slot not in found]
        self.bulk_create(missing, ignore_conflicts=True)

    def lock(self, numbers: Iterable[str]) -> None:
        """Lock these numbers until the transaction ends.

        One statement makes the rows or changes them, which locks them, and is a write, so that
        SQLite waits for its lock instead of failing. All transactions lock in the same order.
        """
        rows = [self.model(slot=slot, locked_at=db_now()) for slot in _slots(numbers)]
        named = connections[self.db].features.supports_update_conflicts_with_target
        self.bulk_create(
            rows,
            update_conflicts=True,
            update_fields=["locked_at"],
            unique_fields=["slot"] if named else None,
        )


class NumberLock(models.Model):
    """A row that a transaction locks before it writes to a number; it holds nothing of numbers."""

    slot = models.PositiveSmallIntegerField(_("slot"), primary_key=True)
    locked_at = models.DateTimeField(_("locked at"))

    objects = NumberLockQuerySet.as_manager()

    class Meta:
        verbose_name = _("lock of numbers")
        verbose_name_plural = _("locks of numbers")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.slot)


def _slots(numbers: Iterable[str]) -> list[int]:
    return sorted({crc32(number.encode()) % SLOTS for number in numbers})
