"""Rates as people type them: ``20/m``."""

from __future__ import annotations

import re

from .durations import UNITS


def parse_rate(value: str) -> tuple[int, int]:
    """Parse ``1/s``, ``20/m`` or ``600/h`` into a number and seconds, or raise ``ValueError``."""
    match = re.fullmatch(r"([0-9]{1,6})/([smh])", value)
    if match is None or int(match[1]) == 0:
        raise ValueError("Write a number and a unit, like 1/s, 20/m or 600/h.")
    return int(match[1]), UNITS[match[2]]
