"""Totals of each day, so that a report reads few rows however many messages there are.

A day has two sets of totals. The first counts its messages and is replaced as a whole. The second
holds the messages that were deleted, and each deletion adds to it in its own transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.db import models, transaction
from django.db.models import F, Q
from django.utils.timezone import get_default_timezone, localtime
from django.utils.translation import gettext_lazy as _

from ...database import PrimaryQuerySet
from .counting import TAG, Key, Tallies, Tally, tally


class CountedDayQuerySet(PrimaryQuerySet):
    """Days, and how their totals are replaced."""

    def replace(self, day: CountedDay, tallies: Tallies, *, at: datetime, closed: bool) -> bool:
        """Store the totals that were counted at this time.

        Store nothing and return false if the totals have changed since ``day`` was read.
        """
        with transaction.atomic(using=self.db):
            same = self.filter(pk=day.pk, version=day.version)
            if not same.update(version=F("version") + 1, counted_at=at, closed=closed):
                return False
            DailyTotal.objects.using(self.db).replace(day.pk, tallies, deleted=False)
        return True

    def keep_deleted(self, messages: models.QuerySet[Any]) -> None:
        """Add messages to the totals of deleted ones, in the transaction that deletes them.

        The other totals of their days are ignored until they are counted again, because they hold
        these messages too.
        """
        by_day: dict[date, list[Any]] = {}
        locked = messages.select_for_update().values_list("pk", "created_at")
        for pk, created_at in locked:
            by_day.setdefault(day_of(created_at), []).append(pk)
        totals = DailyTotal.objects.using(self.db)
        for day, pks in sorted(by_day.items()):
            self.forget(day)
            tallies = tally(messages.filter(pk__in=pks), tags=totals.tags_of(day))
            for key, earlier in totals.deleted_of(day).items():
                tallies[key] = tallies.get(key, Tally(0, 0)) + earlier
            totals.replace(day, tallies, deleted=True)

    def forget(self, day: date) -> None:
        """Lock the day, and have it counted again."""
        self.bulk_create([self.model(day=day)], ignore_conflicts=True)
        self.filter(day=day).update(version=F("version") + 1, counted_at=None, closed=False)

    def lock_for_writing(self) -> None:
        """Take the lock of a transaction that reads before it writes.

        SQLite upgrades no lock once another connection has written; the other databases lock rows.
        """
        self.filter(day=date.max).update(version=F("version"))


class CountedDay(models.Model):
    """A day of ``TIME_ZONE`` whose messages are counted."""

    day = models.DateField(_("day"), primary_key=True)
    #: Grows with each change of the totals, so that a count that began before it is dropped.
    version = models.PositiveBigIntegerField(_("version"), default=0)
    #: Empty while the totals are not valid: the messages of the day must be counted.
    counted_at = models.DateTimeField(_("counted at"), null=True)
    #: Whether none of its messages can change any more.
    closed = models.BooleanField(_("closed"), default=False)

    objects = CountedDayQuerySet.as_manager()

    class Meta:
        verbose_name = _("counted day")
        verbose_name_plural = _("counted days")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.day)


class DailyTotalQuerySet(PrimaryQuerySet):
    """Totals."""

    def valid(self, first: date, last: date) -> models.QuerySet[Any]:
        """Totals of the counted days of a period, and those of its deleted messages."""
        valid = Q(deleted=True) | Q(day__counted_at__isnull=False)
        return self.filter(valid, day__gte=first, day__lte=last)

    def tags_of(self, day: date, **filters: Any) -> set[str]:
        """Return the tags that have totals of their own on a day."""
        tags = self.filter(day=day, kind=TAG, name__gt="", **filters)
        return set(tags.values_list("name", flat=True))

    def deleted_of(self, day: date) -> Mapping[Key, Tally]:
        """Return the totals of the deleted messages of a day."""
        fields = ("kind", "name", "status", "messages", "segments")
        # Locked, because a transaction of MariaDB may otherwise read what it saw when it began.
        rows = self.filter(day=day, deleted=True).select_for_update().values_list(*fields)
        return {Key(*row[:3]): Tally(*row[3:]) for row in rows}

    def replace(self, day: date, tallies: Tallies, *, deleted: bool) -> None:
        """Replace the totals of a day; the caller has locked it."""
        self.filter(day=day, deleted=deleted).delete()
        self.bulk_create(self._rows(day, tallies, deleted=deleted), batch_size=500)

    def _rows(self, day: date, tallies: Tallies, *, deleted: bool) -> Iterable[DailyTotal]:
        for key, counted in tallies.items():
            yield self.model(day_id=day, deleted=deleted, **key._asdict(), **counted._asdict())


class DailyTotal(models.Model):
    """The number of messages that were written on a day and have this status and name.

    ``kind`` says what the name is. It holds no number and no text, and outlives its messages.
    """

    day = models.ForeignKey(
        CountedDay,
        verbose_name=_("day"),
        on_delete=models.CASCADE,
        related_name="totals",
        db_index=False,  # ``Meta.indexes`` begins with it
    )
    deleted = models.BooleanField(_("deleted"))
    kind = models.CharField(_("kind"), max_length=10)
    name = models.CharField(_("name"), max_length=64, blank=True, default="")
    status = models.CharField(_("status"), max_length=10)
    messages = models.PositiveIntegerField(_("messages"))
    segments = models.PositiveIntegerField(_("parts"))

    objects = DailyTotalQuerySet.as_manager()

    class Meta:
        verbose_name = _("daily total")
        verbose_name_plural = _("daily totals")
        default_permissions = ()
        indexes = [models.Index(fields=["day", "kind"], name="mobilon_sms_day_kind")]

    def __str__(self) -> str:
        return f"{self.day_id}: {self.kind} {self.name} {self.status}"


def day_of(moment: datetime) -> date:
    """Return the day of a moment in the project's time zone."""
    return localtime(moment, get_default_timezone()).date()
