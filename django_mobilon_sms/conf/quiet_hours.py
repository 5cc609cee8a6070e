"""Quiet hours as people type them: ``21:00-09:00 Europe/Moscow``."""

from __future__ import annotations

import re
from datetime import time, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.timezone import get_default_timezone


class QuietHours(NamedTuple):
    """Hours from ``start`` to ``end``, past midnight if ``end`` is the earlier time of day."""

    start: time
    end: time
    zone: tzinfo


def parse_quiet_hours(value: str) -> QuietHours:
    """Parse ``21:00-09:00 Europe/Moscow`` or raise ``ValueError``.

    Without a zone, the times are in the project's ``TIME_ZONE``.
    """
    match = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)(?: (\S+))?", value, re.ASCII)
    if match is None or match[1] == match[2]:
        raise ValueError("Write two times and a zone, like 21:00-09:00 Europe/Moscow.")
    try:
        zone = ZoneInfo(match[3]) if match[3] else get_default_timezone()
    except (ZoneInfoNotFoundError, OSError) as error:  # OSError: a folder, such as "Europe"
        raise ValueError(f"There is no time zone {match[3]}.") from error
    return QuietHours(time.fromisoformat(match[1]), time.fromisoformat(match[2]), zone)
