"""Rates as people type them: ``20/m``."""

from __future__ import annotations

import re

from .durations import UNITS


def parse_rate(value: str) -> tuple[int, int]:
    """``1/s``, ``20/m`` or ``600/h``: how many in how many seconds. Raises ``ValueError``."""
    found = re.fullmatch(r"([0-9]{1,6})/([smh])", value)
    if found is None or int(found[1]) == 0:
        raise ValueError("Write a number and a unit, like 1/s, 20/m or 600/h.")
    return int(found[1]), UNITS[found[2]]
