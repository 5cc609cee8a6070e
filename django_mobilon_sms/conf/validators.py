"""The shapes that values of settings can have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.utils.module_loading import import_string

from .quiet_hours import parse_quiet_hours
from .rates import parse_rate


def is_base_url(value: Any) -> bool:
    """An address of a gateway: see rule E001."""
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return False
    try:
        url = urlsplit(value)
        host, _port = (url.hostname or "").encode("idna").decode(), url.port
    except ValueError:  # a port that is none, an unclosed bracket, a label over 63 characters
        return False
    plain = not ("@" in url.netloc or url.query or url.fragment)
    scheme = url.scheme == "https" or (url.scheme == "http" and is_loopback(host))
    return bool(host) and plain and scheme


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_text(value: Any) -> bool:
    """A string that a header can carry: it may be empty, it has no control characters."""
    return isinstance(value, str) and (value == "" or value.isprintable())


def is_username(value: Any) -> bool:
    """A text that basic auth can carry as a user name."""
    return is_text(value) and ":" not in value


def is_source(value: Any) -> bool:
    """Whether ``value`` can be a sender: 1 to 32 printable ASCII characters, no spaces."""
    return isinstance(value, str) and re.fullmatch(r"[!-~]{1,32}", value) is not None


def is_callable(value: Any) -> bool:
    """The dotted path of something to call."""
    if not isinstance(value, str):
        return False
    try:
        return callable(import_string(value))
    except (ImportError, ValueError, TypeError):  # a name that begins with a dot
        return False


def is_seconds(value: Any, longest: float) -> bool:
    """A number of seconds, over 0."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 < value <= longest


def is_count(value: Any, most: int) -> bool:
    """A whole number from 1."""
    return type(value) is int and 1 <= value <= most


def is_codes(value: Any) -> bool:
    """HTTP codes of refusals."""
    if not isinstance(value, Collection) or isinstance(value, (str, bytes, Mapping)):
        return False
    return all(type(code) is int and 400 <= code <= 499 for code in value)


def is_replies(value: Any, meanings: set[str]) -> bool:
    """A map from the gateway's codes to meanings."""
    return isinstance(value, Mapping) and all(
        type(code) is int and isinstance(meaning, str) and meaning in meanings
        for code, meaning in value.items()
    )


def is_of_each_sender(value: Any, is_right: Callable[[Any], bool]) -> bool:
    """One value for all senders, or a map from senders to values, ``*`` for the others."""
    if isinstance(value, Mapping):
        return all(is_source(source) and is_right(each) for source, each in value.items())
    return is_right(value)


def is_daily_limit(value: Any) -> bool:
    """So many a day."""
    return is_count(value, 999_999)


def is_rate(value: Any) -> bool:
    """So many a second, a minute or an hour."""
    return _is_parsed(parse_rate, value)


def is_quiet_hours(value: Any) -> bool:
    """Two times of the day, with or without a zone."""
    return _is_parsed(parse_quiet_hours, value)


def _is_parsed(parse: Callable[[str], object], value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(parse(value))
    except ValueError:
        return False


def is_pattern(value: Any) -> bool:
    """A regular expression."""
    if not isinstance(value, str) or not value:
        return False
    try:
        re.compile(value, re.ASCII)
    except (re.error, ValueError, OverflowError, RecursionError):
        return False
    return True
