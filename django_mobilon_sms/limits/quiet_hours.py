"""The quiet hours: when only urgent messages go out."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo

from ..conf import conf, parse_quiet_hours


def quiet_until(now: datetime) -> datetime | None:
    """Return when the quiet hours end, if it is quiet now.

    Wall clocks decide: on a night when they are changed it is quiet until they show the end, for
    the last time, an hour longer or shorter.
    """
    if conf.QUIET_HOURS is None:
        return None
    start, end, zone = parse_quiet_hours(conf.QUIET_HOURS)
    local = now.astimezone(zone)
    shown, today = local.time(), local.date()
    if now < (again := _last(today, end, zone)) and datetime.combine(today, end, zone) <= now:
        return again
    over_midnight = end < start
    is_quiet = (shown >= start or shown < end) if over_midnight else start <= shown < end
    return _last(today + timedelta(days=shown >= end), end, zone) if is_quiet else None


def loud_since(now: datetime) -> datetime | None:
    """Return when the quiet hours last ended; ``None`` where there are none."""
    if conf.QUIET_HOURS is None:
        return None
    _start, end, zone = parse_quiet_hours(conf.QUIET_HOURS)
    local = now.astimezone(zone)
    return _last(local.date() - timedelta(days=local.time() < end), end, zone)


def _last(day: date, shown: time, zone: tzinfo) -> datetime:
    """Return the last moment of a day when clocks show this time: the hour may come twice."""
    moments = [datetime.combine(day, shown.replace(fold=fold), zone) for fold in (0, 1)]
    return max(moments, key=datetime.timestamp)
