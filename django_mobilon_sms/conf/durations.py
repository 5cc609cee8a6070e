"""Lengths of time as people type them: ``15m``, ``180d``."""

from __future__ import annotations

import re
from datetime import timedelta

#: Seconds in each unit.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_duration(value: str) -> timedelta:
    """``90s``, ``15m``, ``12h``, ``180d`` or ``2w``. Raises ``ValueError`` for anything else."""
    found = re.fullmatch(r"([0-9]{1,6})([smhdw])", value)
    if found is None or int(found[1]) == 0:
        raise ValueError("Write a number and a unit, like 90s, 15m, 12h, 180d or 2w.")
    return timedelta(seconds=int(found[1]) * UNITS[found[2]])


def show_duration(length: timedelta) -> str:
    """The same way back, in the largest unit that leaves at least two: ``95s``, ``26h``."""
    seconds = max(0, round(length.total_seconds()))
    for unit in reversed(UNITS):
        if seconds >= 2 * UNITS[unit]:
            return f"{seconds // UNITS[unit]}{unit}"
    return f"{seconds}s"
