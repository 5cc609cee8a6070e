"""Bring the daily totals up to date, in a job of its own, and read them.

Workers write no totals. Today is never stored; each reader counts its messages.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from datetime import time as midnight
from functools import partial
from typing import Any, NamedTuple, TypeVar

from django.db import router
from django.db.models import QuerySet, Sum
from django.utils.timezone import get_default_timezone, make_aware

from ..models import (
    NONE,
    RETRY_SECONDS,
    STATUS,
    CountedDay,
    DailyTotal,
    GatewayState,
    Key,
    MessageQuerySet,
    SmsMessage,
    Tallies,
    Tally,
    day_of,
    ended,
    retry_on_lock,
    tally,
)

DAY = timedelta(days=1)

#: How old the totals of a day may be before they are counted again: of the last days, of others.
RECENT_DAYS, RECENT_AGE, OLDER_AGE = 3, timedelta(minutes=5), timedelta(hours=1)

#: Past its end, a day stays open for transactions that began on it.
CLOSED_AFTER = DAY

#: Between two days, a job of a worker stops after so many seconds and leaves the rest to the next.
JOB_SECONDS = 1.0

#: How often totals that change meanwhile are read.
ATTEMPTS = 3

NEVER = datetime.min.replace(tzinfo=timezone.utc)

T = TypeVar("T")


class Totals(NamedTuple):
    """The totals of a period by day and of all its days. ``as_of``: since when they are right."""

    by_day: dict[tuple[date, str], Tally]
    whole: Tallies
    as_of: datetime


def count_days(*, seconds: float | None = None) -> int:
    """Count the days whose totals are due; return how many. Stop after these seconds."""
    end = None if seconds is None else time.monotonic() + seconds
    now = GatewayState.objects.peek().now
    alias = router.db_for_write(CountedDay)
    counted = 0
    for day in _due(now):
        if end is not None and time.monotonic() >= end:
            break
        counted += retry_on_lock(partial(_count, day, now), using=alias, seconds=RETRY_SECONDS)
    return counted


def recount_days() -> int:
    """Count all days again, as after a change of ``TIME_ZONE``; return how many.

    Deleted messages stay in the day that they were counted in.
    """
    days = CountedDay.objects.for_write()
    for day in days.values_list("day", flat=True):
        days.forget(day)
    return count_days()


def read_totals(first: date, last: date) -> Totals:
    """Return the totals of these days. Those that are not counted, such as today, are counted now.

    Each kind but ``STATUS`` is in ``whole`` only.
    """
    return consistently(first, last, partial(_read, first, last))


def consistently(first: date, last: date, reading: Callable[[Mapping[date, CountedDay]], T]) -> T:
    """Return what is read with the days that are counted now, unless they change meanwhile.

    A day whose totals are replaced while they are read would be left out, or count twice. After
    ``ATTEMPTS``, while a purge deletes many messages, the last result stands.
    """
    for _ in range(ATTEMPTS):
        before = _days(first, last)
        result = reading({day: row for day, row in before.items() if row.counted_at})
        after = _days(first, last)
        if {day: row.version for day, row in before.items()} == {
            day: row.version for day, row in after.items()
        }:
            break
    return result


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return when a day begins and ends in the project's time zone."""
    zone = get_default_timezone()
    start, end = (make_aware(datetime.combine(at, midnight()), zone) for at in (day, day + DAY))
    return start, end


def _days(first: date, last: date) -> dict[date, CountedDay]:
    return {row.day: row for row in CountedDay.objects.filter(day__range=(first, last))}


def _due(now: datetime) -> list[date]:
    """Return the past days to count, those that were never counted first."""
    rows = {row.day: row for row in CountedDay.objects.for_write()}
    due = {day: row.counted_at or NEVER for day, row in rows.items() if _is_due(row, now)}
    messages = SmsMessage.objects.for_write().order_by("created_at")
    oldest = messages.values_list("created_at", flat=True).first()
    today = day_of(now)
    for day in _from(day_of(oldest), today - DAY) if oldest else ():
        if day not in rows:
            due[day] = NEVER
    return sorted((day for day in due if day < today), key=lambda day: (due[day], today - day))


def _is_due(row: CountedDay, now: datetime) -> bool:
    if row.counted_at is None:
        return True
    is_recent = row.day >= day_of(now) - RECENT_DAYS * DAY
    return not row.closed and row.counted_at <= now - (RECENT_AGE if is_recent else OLDER_AGE)


def _count(day: date, now: datetime) -> bool:
    """Count a day and store its totals, unless they have changed meanwhile."""
    days = CountedDay.objects.for_write()
    row, _created = days.get_or_create(day=day)
    messages = _messages(day).for_write()
    can_change = messages.filter(~ended()).order_by("created_at").values_list("pk").first()
    closed = can_change is None and day_bounds(day)[1] + CLOSED_AFTER <= now
    totals = DailyTotal.objects.for_write()
    tallies = tally(messages, tags=totals.tags_of(day, deleted=True))
    return days.replace(row, tallies, at=now, closed=closed)


def _read(first: date, last: date, counted: Mapping[date, CountedDay]) -> Totals:
    by_day: dict[tuple[date, str], Tally] = defaultdict(lambda: NONE)
    whole: Tallies = defaultdict(lambda: NONE)
    stored = DailyTotal.objects.valid(first, last)
    for day, status, *both in sums(stored.filter(kind=STATUS), "day_id", "status"):
        by_day[day, status] += Tally(*both)
    for kind, name, status, *both in sums(stored.exclude(kind=STATUS), "kind", "name", "status"):
        whole[Key(kind, name, status)] += Tally(*both)
    for day in _with_messages(first, last):
        for key, counts in tally(_messages(day)).items() if day not in counted else ():
            if key.kind == STATUS:
                by_day[day, key.status] += counts
            else:
                whole[key] += counts
    for (_day, status), counts in by_day.items():
        whole[Key(STATUS, "", status)] += counts
    return Totals(by_day, whole, as_of(counted))


def as_of(counted: Mapping[date, CountedDay]) -> datetime:
    """Return the time of the oldest totals that can still change, or the time now."""
    times = [row.counted_at for row in counted.values() if row.counted_at and not row.closed]
    return min([*times, GatewayState.objects.peek().now])


def sums(totals: QuerySet[DailyTotal], *fields: str) -> Iterable[tuple[Any, ...]]:
    """Return the messages and segments of the totals by these fields."""
    both = {"all_messages": Sum("messages"), "all_segments": Sum("segments")}
    rows: QuerySet[Any, Any] = totals.order_by().values(*fields).annotate(**both)
    return rows.values_list(*fields, *both)


def _with_messages(first: date, last: date) -> Iterator[date]:
    """Yield the days between the oldest and the newest message."""
    oldest, newest = (
        SmsMessage.objects.order_by(order).values_list("created_at", flat=True).first()
        for order in ("created_at", "-created_at")
    )
    if oldest and newest:
        yield from _from(max(first, day_of(oldest)), min(last, day_of(newest)))


def _messages(day: date) -> MessageQuerySet:
    start, end = day_bounds(day)
    return SmsMessage.objects.filter(created_at__gte=start, created_at__lt=end)


def _from(first: date, last: date) -> Iterator[date]:
    return (first + number * DAY for number in range((last - first).days + 1))
