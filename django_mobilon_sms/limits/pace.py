"""The pace of the line: how many segments each sender may send in a window of time.

A window is fixed: some seconds of the database's clock, or a day of the project's time zone. One
row for each sender and length of window holds how much is used. A message is claimed while its
windows are not full; the segments beyond a limit are charged to the next window.

A clock that is set back does not open an earlier window again: the row of the next window holds.
Only a clock that ran ahead leaves a row of a later window. What it holds then counts for the
current window.

A tenth of each window, rounded down, is kept for urgent messages: a mailing leaves it.
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


#: More segments than any sender can have waiting.
UNLIMITED = 2**62


#: The share of each window that only urgent messages use: one segment of so many.
KEPT_OF = 10


class Limit(NamedTuple):
    """The segments that each window of so many seconds takes."""

    seconds: int
    segments: int

    @property
    def for_others(self) -> int:
        """The segments for messages that are not urgent."""
        return self.segments - self.segments // KEPT_OF


class Room(NamedTuple):
    """In how many segments of a window a message may begin, if it is urgent or if it is not."""

    urgent: int
    others: int


class Load(NamedTuple):
    """The segments of a claim's messages of one sender.

    ``begun``: those before its last message, which must begin while there is room for it.
    """

    segments: int
    begun: int
    is_urgent: bool


class Window(NamedTuple):
    """One window of a limit: its number, and when the next one begins."""

    number: int
    end: datetime


#: The rows by sender and length of window.
Rows = Mapping[tuple[str, int], SenderPace]


def is_set() -> bool:
    """Whether the project limits the pace."""
    return conf.RATE is not None or conf.DAILY_LIMIT is not None


def limits(source: str) -> list[Limit]:
    """Return the limits of a sender, the shorter window first."""
    found = []
    if (rate := _of(conf.RATE, source)) is not None:
        segments, seconds = parse_rate(rate)
        found.append(Limit(seconds, segments))
    if (daily := _of(conf.DAILY_LIMIT, source)) is not None:
        found.append(Limit(DAY, daily))
    return found


def room(sources: Iterable[str], now: datetime) -> dict[str, Room]:
    """Return in how many segments each of these senders may begin a message.

    ``now`` is the database's time. The rows are made those of its windows first, for ``charge()``.
    """
    wanted = list(sources)
    rows = _open_windows(wanted, now)
    return {source: _room(source, rows) for source in wanted}


def charge(loads: Mapping[str, Load], now: datetime) -> bool:
    """Charge the messages of each sender to its windows; return whether they fit.

    A message fits if it begins in a window that is not full. Call this inside the transaction of
    the claim, and roll that back if they do not fit: other workers were faster, or the window
    ended meanwhile. ``now`` is what ``room()`` was called with.
    """
    # In one order everywhere, so that no two workers wait for one another.
    return all(
        _charge(source, limit, window_at(now, limit.seconds), loads[source])
        for source in sorted(loads)
        for limit in limits(source)
    )


def waits(segments: Mapping[str, int], now: datetime) -> dict[str, timedelta]:
    """Return how long until the last of so many waiting segments of each sender may be claimed."""
    rows = _rows(segments)

    def wait(source: str, count: int) -> timedelta:
        by_limit = [
            _wait(count, limit, now, rows.get((source, limit.seconds))) for limit in limits(source)
        ]
        return max(by_limit, default=timedelta())

    return {source: wait(source, count) for source, count in segments.items()}


def full_until(sources: Iterable[str], now: datetime) -> datetime | None:
    """Return when the first of these senders with a full window may go on; ``None`` if none is."""
    full = [wait for wait in waits(dict.fromkeys(sources, 1), now).values() if wait]
    return now + min(full) if full else None


def window_at(now: datetime, seconds: int) -> Window:
    """Return the window of this length at a time."""
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


def _rows(sources: Iterable[str]) -> Rows:
    rows = SenderPace.objects.for_write().filter(source__in=list(sources))
    return {(row.source, row.seconds): row for row in rows}


def _room(source: str, rows: Rows) -> Room:
    used = [(limit, rows[source, limit.seconds].used) for limit in limits(source)]
    return Room(
        min((limit.segments - count for limit, count in used), default=UNLIMITED),
        min((limit.for_others - count for limit, count in used), default=UNLIMITED),
    )


def _open_windows(sources: Sequence[str], now: datetime) -> Rows:
    """Make the rows of these senders those of the windows at ``now``, and return them."""
    rows = _rows(sources)
    return {
        (source, limit.seconds): _open(source, limit, now, rows.get((source, limit.seconds)))
        for source in sources
        for limit in limits(source)
    }


def _open(source: str, limit: Limit, now: datetime, row: SenderPace | None) -> SenderPace:
    window, paces = window_at(now, limit.seconds), SenderPace.objects.for_write()
    if row is None:
        row, _created = paces.get_or_create(
            source=source, seconds=limit.seconds, defaults={"window": window.number}
        )
    while not _holds(row, window):
        unchanged = paces.filter(pk=row.pk, window=row.window, used=row.used)
        unchanged.update(window=window.number, used=_used(row, limit, window))
        row = paces.get(pk=row.pk)
    return row


def _holds(row: SenderPace, window: Window) -> bool:
    """Whether a row may be charged in this window."""
    return row.window in _charged_in(window)


def _charged_in(window: Window) -> tuple[int, int]:
    """Return the windows whose rows are charged: it and, if the clock was set back, the next."""
    return window.number, window.number + 1


def _used(row: SenderPace, limit: Limit, window: Window) -> int:
    """Return what is used of a window, with what earlier ones took beyond their limit.

    A row of a later window counts as it is.
    """
    return max(0, row.used - limit.segments * max(0, window.number - row.window))


def _charge(source: str, limit: Limit, window: Window, load: Load) -> bool:
    most = limit.segments if load.is_urgent else limit.for_others
    rows = SenderPace.objects.for_write().alias(now=db_now())
    fitting = rows.filter(
        source=source,
        seconds=limit.seconds,
        window__in=_charged_in(window),
        used__lt=most - load.begun,
        now__lt=window.end,
    )
    return bool(fitting.update(used=F("used") + load.segments))


def _wait(segments: int, limit: Limit, now: datetime, row: SenderPace | None) -> timedelta:
    window = window_at(now, limit.seconds)
    used = _used(row, limit, window) if row else 0
    if row and row.window == window.number + 1:
        window = window_at(window.end, limit.seconds)
    # What is used of the part that is kept leaves the next window whole.
    left = max(limit.for_others - used, min(0, limit.segments - used))
    if (beyond := segments - left) <= 0:
        return timedelta()
    windows = ceil(beyond / limit.for_others) - 1
    return window.end - now + timedelta(seconds=windows * limit.seconds)
