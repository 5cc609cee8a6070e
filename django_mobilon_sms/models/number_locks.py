"""Locks for numbers, so that messages to one number are counted and written one after another."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..database import PrimaryQuerySet, db_now

#: Numbers share so many rows. Two that share a row only wait for one another.
SLOTS = 1024


class NumberLockQuerySet(PrimaryQuerySet):
    """The rows to lock."""

    def make(self, numbers: Iterable[str]) -> None:
        """Make the rows of these numbers, where ``lock()`` needs that."""
        self.commit_missing(self._rows(numbers))

    def lock(self, numbers: Iterable[str]) -> None:
        """Lock these numbers until the transaction ends; all transactions in the same order."""
        self.lock_rows(self._rows(numbers))

    def _rows(self, numbers: Iterable[str]) -> list[NumberLock]:
        slots = sorted({crc32(number.encode()) % SLOTS for number in numbers})
        return [self.model(slot=slot, locked_at=db_now()) for slot in slots]


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
