"""The quiet hours: when only urgent messages go out."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.timezone import get_default_timezone

from .conf import conf


class QuietHours(NamedTuple):
    """From one time of the day to another, over midnight if it is the earlier one."""

    start: time
    end: time
    zone: tzinfo


def parse_quiet_hours(value: str) -> QuietHours:
    """``21:00-09:00 Europe/Moscow``; without a zone, of the project's. Raises ``ValueError``."""
    found = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)(?: (\S+))?", value, re.ASCII)
    if found is None or found[1] == found[2]:
        raise ValueError("Write two times and a zone, like 21:00-09:00 Europe/Moscow.")
    try:
        zone = ZoneInfo(found[3]) if found[3] else get_default_timezone()
    except (ZoneInfoNotFoundError, OSError) as error:  # a folder of zones is no zone
        raise ValueError(f"There is no time zone {found[3]}.") from error
    return QuietHours(time.fromisoformat(found[1]), time.fromisoformat(found[2]), zone)


def quiet_until(now: datetime) -> datetime | None:
    """When the quiet hours end, if it is quiet now.

    Clocks on the wall decide: on a night when they are changed it is quiet until they show the
    end, an hour longer or shorter.
    """
    if conf.QUIET_HOURS is None:
        return None
    start, end, zone = parse_quiet_hours(conf.QUIET_HOURS)
    local = now.astimezone(zone)
    shown = local.time()
    over_midnight = end < start
    is_quiet = (shown >= start or shown < end) if over_midnight else start <= shown < end
    if not is_quiet:
        return None
    return datetime.combine(local.date() + timedelta(days=shown >= end), end, zone)


def loud_since(now: datetime) -> datetime | None:
    """When the quiet hours last ended; ``None`` where there are none."""
    if conf.QUIET_HOURS is None:
        return None
    _start, end, zone = parse_quiet_hours(conf.QUIET_HOURS)
    local = now.astimezone(zone)
    return datetime.combine(local.date() - timedelta(days=local.time() < end), end, zone)
