"""Types of the commands' options."""

from __future__ import annotations

import argparse
from datetime import timedelta

from ..conf import parse_duration


def duration(value: str) -> timedelta:
    """A length of time; anything else is wrong usage."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
