"""Quiet hours as people type them: ``21:00-09:00 Europe/Moscow``."""

from __future__ import annotations

import re
from datetime import time, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.timezone import get_default_timezone


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
