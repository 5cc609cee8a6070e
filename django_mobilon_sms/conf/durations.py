"""Durations and times that people type, and times as they read them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from django.utils.formats import date_format
from django.utils.timezone import localdate, localtime

#: Seconds in each unit.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
#: A time that is so far from now fits every database and every time zone.
LONGEST = timedelta(days=36_500)


def parse_duration(value: str) -> timedelta:
    """Parse ``90s``, ``15m``, ``12h``, ``180d`` or ``2w``; raise ``ValueError`` for others."""
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise ValueError("Write a number and a unit, like 90s, 15m, 12h, 180d or 2w.")
    duration = timedelta(seconds=int(match[1]) * UNITS[match[2]])
    if duration > LONGEST:
        raise ValueError("Write a duration of at most 36500d, which is a hundred years.")
    return duration


def to_utc(time: datetime) -> datetime:
    """Return an aware time in UTC. Raise ``ValueError`` outside the years 2000 to 2999.

    Others overflow in some time zone. PostgreSQL refuses a zone 16 hours or more from UTC.
    """
    if 1999 <= time.year <= 3000 and 2000 <= (in_utc := time.astimezone(timezone.utc)).year <= 2999:
        return in_utc
    raise ValueError("Give a time between the years 2000 and 2999.")


def show_duration(duration: timedelta) -> str:
    """Format a duration in the largest unit that gives at least two: ``95s``, ``26h``."""
    seconds = max(0, round(duration.total_seconds()))
    for unit in reversed(UNITS):
        if seconds >= 2 * UNITS[unit]:
            return f"{seconds // UNITS[unit]}{unit}"
    return f"{seconds}s"


def show_moment(time: datetime | None) -> str:
    """Format a local time for a sentence, without the date if it is today."""
    is_today = time is not None and localtime(time).date() == localdate()
    return f"{localtime(time):%H:%M}" if is_today else show_time(time)


def show_time(time: datetime | None) -> str:
    """Format a local time for a sentence, or return "".

    Django's own English format ends with "a.m.", which doubles the full stop of the sentence.
    """
    if time is None:
        return ""
    local = localtime(time)
    return f"{date_format(local, 'SHORT_DATE_FORMAT')} {local:%H:%M}"
