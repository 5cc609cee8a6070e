"""The pace that the line allows: how many parts each sender may send in a window of time.

A window is fixed: a minute of the database's clock, or a day of the project's time zone. One row
for each sender and length says how much of it is used. A message is claimed while its windows are
not full; what it takes beyond a limit is charged to the next window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta, timezone
from math import ceil
from typing import NamedTuple, TypeVar

from django.db.models import F
from django.utils.timezone import get_default_timezone

from ..conf import conf, parse_rate
from ..models import SenderPace, db_now

T = TypeVar("T")


DAY = 86_400


#: The name for all senders that a setting does not name.
OTHERS = "*"


#: More parts than any sender can have waiting.
UNLIMITED = 2**62


class Limit(NamedTuple):
    """So many parts in each window of so many seconds."""

    seconds: int
    parts: int


class Window(NamedTuple):
    """Which window of a limit it is, and when the next one begins."""

    number: int
    end: datetime


def is_set() -> bool:
    """Whether the project limits the pace."""
    return conf.RATE is not None or conf.DAILY_LIMIT is not None


def limits(source: str) -> list[Limit]:
    """What holds for a sender; the shorter window first."""
    found = []
    if (rate := _of(conf.RATE, source)) is not None:
        parts, seconds = parse_rate(rate)
        found.append(Limit(seconds, parts))
    if (daily := _of(conf.DAILY_LIMIT, source)) is not None:
        found.append(Limit(DAY, daily))
    return found


def room(sources: Iterable[str], now: datetime) -> dict[str, int]:
    """In how many parts each of these senders may begin a message; ``now`` is the database's."""
    wanted = list(sources)
    rows = _rows(wanted)
    return {
        source: min(
            (
                limit.parts - _used(source, limit, window_at(now, limit.seconds), rows)
                for limit in limits(source)
            ),
            default=UNLIMITED,
        )
        for source in wanted
    }


def charge(parts: Mapping[str, Sequence[int]], now: datetime) -> bool:
    """Charge the parts of each sender's messages to its windows; whether they fit.

    A message fits that is begun in a window that is not full.

    Inside the transaction of their claim, which is to be taken back if they do not: other workers
    were faster, or the window ended meanwhile. ``now`` is what ``room()`` was asked with.
    """
    # In one order everywhere, so that no two workers wait for one another.
    return all(
        _charge(source, limit, window_at(now, limit.seconds), parts[source])
        for source in sorted(parts)
        for limit in limits(source)
    )


def waits(parts: Mapping[str, int], now: datetime) -> dict[str, timedelta]:
    """How long until the last of so many waiting parts of each sender may be claimed."""
    rows = _rows(parts)

    def wait(source: str, count: int) -> timedelta:
        each = limits(source)
        found = [_wait(count, limit, now, rows.get((source, limit.seconds))) for limit in each]
        return max(found, default=timedelta())

    return {source: wait(source, count) for source, count in parts.items()}


def full_until(sources: Iterable[str], now: datetime) -> datetime | None:
    """When the first of these senders whose pace is reached may go on; ``None`` if none's is."""
    reached = [wait for wait in waits(dict.fromkeys(sources, 1), now).values() if wait]
    return now + min(reached) if reached else None


def window_at(now: datetime, seconds: int) -> Window:
    """The window of this length at a time."""
    if seconds == DAY:
        zone = get_default_timezone()
        day = now.astimezone(zone).date()
        return Window(day.toordinal(), datetime.combine(day + timedelta(1), time(), zone))
    number = int(now.timestamp()) // seconds
    return Window(number, datetime.fromtimestamp((number + 1) * seconds, timezone.utc))


def _of(setting: T | Mapping[str, T] | None, source: str) -> T | None:
    if isinstance(setting, Mapping):
        return setting.get(source, setting.get(OTHERS))
    return setting


def _rows(sources: Iterable[str]) -> dict[tuple[str, int], SenderPace]:
    rows = SenderPace.objects.for_write().filter(source__in=list(sources))
    return {(row.source, row.seconds): row for row in rows}


def _used(
    source: str, limit: Limit, window: Window, rows: Mapping[tuple[str, int], SenderPace]
) -> int:
    """What is used of the window, whose row is made the window's own."""
    paces = SenderPace.objects.for_write()
    row = rows.get((source, limit.seconds))
    if row is None:
        row, _made = paces.get_or_create(
            source=source, seconds=limit.seconds, defaults={"window": window.number}
        )
    while row.window < window.number:
        same = paces.filter(pk=row.pk, window=row.window, used=row.used)
        same.update(window=window.number, used=_carried(row, limit, window))
        row = paces.get(pk=row.pk)
    return row.used


def _carried(row: SenderPace, limit: Limit, window: Window) -> int:
    """What a window begins with, after an earlier one took more than its limit."""
    return max(0, row.used - limit.parts * max(0, window.number - row.window))


def _charge(source: str, limit: Limit, window: Window, parts: Sequence[int]) -> bool:
    begun = sum(parts[:-1])  # all before the last must leave it a window that is not full
    rows = SenderPace.objects.for_write().alias(now=db_now())
    fitting = rows.filter(
        source=source,
        seconds=limit.seconds,
        # A clock that was set back must not open an earlier window again.
        window__gte=window.number,
        used__lt=limit.parts - begun,
        now__lt=window.end,
    )
    return bool(fitting.update(used=F("used") + sum(parts)))


def _wait(parts: int, limit: Limit, now: datetime, row: SenderPace | None) -> timedelta:
    window = window_at(now, limit.seconds)
    used = _carried(row, limit, window) if row else 0
    if (beyond := parts - (limit.parts - used)) <= 0:
        return timedelta()
    later = ceil(beyond / limit.parts) - 1
    return window.end - now + timedelta(seconds=later * limit.seconds)
