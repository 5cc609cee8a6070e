"""Values that settings may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.utils.module_loading import import_string

DAY = 86_400


class Allowed(NamedTuple):
    """Allowed values: a predicate, and the words that complete "must be ..."."""

    accepts: Callable[[Any], bool]
    words: str


TRUE_OR_FALSE = Allowed(lambda value: isinstance(value, bool), "True or False")


def or_none(allowed: Allowed) -> Allowed:
    """Allow ``None`` too."""
    return Allowed(lambda v: v is None or allowed.accepts(v), f"{allowed.words}, or None")


def per_sender(allowed: Allowed) -> Allowed:
    """Allow one value for all senders, or a dict from senders to values."""

    def accepts(value: Any) -> bool:
        if isinstance(value, Mapping):
            return all(is_source(key) and allowed.accepts(item) for key, item in value.items())
        return allowed.accepts(value)

    return Allowed(accepts, f"{allowed.words}, a dict from senders to such values")


def seconds(longest: int, *, shortest: int = 0) -> Allowed:
    """Allow a number of seconds: over 0, from ``shortest`` to ``longest``."""

    def accepts(value: Any) -> bool:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and value > 0 and shortest <= value <= longest

    least = f"at least {shortest}" if shortest else "over 0"
    most = longest if longest <= DAY else f"{longest // DAY} days"
    return Allowed(accepts, f"a number of seconds, {least} and at most {most}")


def whole_number(most: int) -> Allowed:
    """Allow a whole number from 1 to ``most``."""
    return Allowed(lambda v: type(v) is int and 1 <= v <= most, f"a whole number from 1 to {most}")


def code_map(*meanings: str) -> Allowed:
    """Allow a map from the gateway's codes to these meanings."""

    def accepts(value: Any) -> bool:
        return isinstance(value, Mapping) and all(
            type(code) is int and isinstance(meaning, str) and meaning in meanings
            for code, meaning in value.items()
        )

    *first, last = map(repr, meanings)
    return Allowed(accepts, f"a dict from the gateway's code to {', '.join(first)} or {last}")


def named_dicts(longest: int) -> Allowed:
    """Allow a dict of dicts whose keys are names of letters, digits, "-" and "_"."""
    name = re.compile(rf"[A-Za-z0-9_-]{{1,{longest}}}")

    def accepts(value: Any) -> bool:
        return isinstance(value, Mapping) and all(
            isinstance(key, str) and name.fullmatch(key) and isinstance(item, Mapping)
            for key, item in value.items()
        )

    return Allowed(
        accepts, f"a dict of dicts, each under a name of at most {longest} letters or digits"
    )


def parsed_by(parse: Callable[[str], object], words: str) -> Allowed:
    """Allow the strings that ``parse`` reads without ``ValueError``."""
    return Allowed(lambda value: read(parse, value, ValueError) is not None, words)


def read(parse: Callable[[str], object], value: Any, *errors: type[Exception]) -> Any:
    """Return what ``parse`` makes of a string: ``None`` after these errors, or for no string."""
    try:
        return parse(value) if isinstance(value, str) else None
    except errors:
        return None


def is_base_url(value: Any) -> bool:
    """Return whether ``value`` is an address that credentials may be sent to."""
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return False
    try:
        url = urlsplit(value)
        host, _port = (url.hostname or "").encode("idna").decode(), url.port
    except ValueError:  # a wrong port, an unclosed bracket, a label over 63 characters
        return False
    plain = not ("@" in url.netloc or url.query or url.fragment)
    scheme = url.scheme == "https" or (url.scheme == "http" and is_loopback(host))
    return bool(host) and plain and scheme


def is_loopback(host: str) -> bool:
    """Return whether the host is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_text(value: Any) -> bool:
    """Return whether a header can carry ``value``: a string without control characters."""
    return isinstance(value, str) and (value == "" or value.isprintable())


def is_username(value: Any) -> bool:
    """Return whether basic auth can carry ``value`` as a user name."""
    return is_text(value) and ":" not in value


def is_source(value: Any) -> bool:
    """Return whether ``value`` can be a sender: 1 to 32 printable ASCII characters, no spaces."""
    return isinstance(value, str) and re.fullmatch(r"[!-~]{1,32}", value) is not None


def is_source_or_empty(value: Any) -> bool:
    """Return whether ``value`` can be a sender, or is an empty string."""
    return value == "" or is_source(value)


def is_dotted_path(value: Any) -> bool:
    """Return whether ``value`` is the dotted path of a callable that can be imported."""
    # ValueError, TypeError: it begins with a dot.
    return callable(read(import_string, value, ImportError, ValueError, TypeError))


def is_http_codes(value: Any) -> bool:
    """Return whether ``value`` is a collection of HTTP codes from 400 to 499."""
    if not isinstance(value, Collection) or isinstance(value, (str, bytes, Mapping)):
        return False
    return all(type(code) is int and 400 <= code <= 499 for code in value)


def is_pattern(value: Any) -> bool:
    """Return whether ``value`` is a regular expression."""
    errors = (re.error, ValueError, OverflowError, RecursionError)
    return value != "" and read(partial(re.compile, flags=re.ASCII), value, *errors) is not None
