"""The quiet hours: when only urgent messages go out."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..conf import conf, parse_quiet_hours


def quiet_until(now: datetime) -> datetime | None:
    """Return when the quiet hours end, if it is quiet now.

    Wall clocks decide: on a night when they are changed it is quiet until they show the end, an
    hour longer or shorter.
    """
    if conf.QUIET_HOURS is None:
        return None
    start, end, zone = parse_quiet_hours(conf.QUIET_HOURS)
    local = now.astimezone(zone)
    time = local.time()
    over_midnight = end < start
    is_quiet = (time >= start or time < end) if over_midnight else start <= time < end
    if not is_quiet:
        return None
    return datetime.combine(local.date() + timedelta(days=time >= end), end, zone)


def loud_since(now: datetime) -> datetime | None:
    """Return when the quiet hours last ended; ``None`` where there are none."""
    if conf.QUIET_HOURS is None:
        return None
    _start, end, zone = parse_quiet_hours(conf.QUIET_HOURS)
    local = now.astimezone(zone)
    return datetime.combine(local.date() - timedelta(days=local.time() < end), end, zone)
