"""Types of the commands' options; each raises ``ArgumentTypeError`` for wrong usage."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _

from ..conf import conf, parse_duration, to_utc
from ..phone_numbers import normalize_number


def positive(value: str) -> int:
    """Return a whole number from 1."""
    number = int(value)
    if number < 1:
        raise ArgumentTypeError(_("must be 1 or more"))
    return number


def batch_size(value: str) -> int:
    """Return a whole number from 1 to 100, the most that the gateway takes in a request."""
    number = positive(value)
    if number > 100:
        raise ArgumentTypeError(_("must be 100 or less"))
    return number


def interval(value: str) -> float:
    """Return a number of seconds, more than 0 and less than a day."""
    number = float(value)
    if not 0 < number < 86_400:
        raise ArgumentTypeError(_("must be over 0 and under a day"))
    return number


def seconds(value: str) -> float:
    """Return a number of seconds, 0 or more."""
    number = float(value)
    if not 0 <= number < math.inf:
        raise ArgumentTypeError(_("must be 0 or more"))
    return number


def port(value: str) -> int:
    """Return the number of a TCP port, 0 for a free one."""
    number = int(value)
    if not 0 <= number <= 65_535:
        raise ArgumentTypeError(_("must be between 0 and 65535"))
    return number


def moment(value: str) -> datetime | timedelta:
    """Return a time, in the project's time zone unless it names another, or a length of time."""
    try:
        time = parse_datetime(value)
        if time is None:
            return duration(value)
        return to_utc(make_aware(time) if is_naive(time) else time)
    except (ArgumentTypeError, ValueError):
        message = _("must be a time like 2026-11-29T12:00, or a length of time like 2h")
        raise ArgumentTypeError(message) from None


def duration(value: str) -> timedelta:
    """Return a length of time, for example ``15m``."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def recipient(value: str) -> str:
    """Return the E.164 form of a number that messages may be sent to."""
    try:
        return normalize_number(value, allowed=conf.NUMBER_PATTERN)
    except ValidationError as error:
        raise ArgumentTypeError(error.messages[0]) from None
