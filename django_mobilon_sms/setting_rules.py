"""What each setting must be, and what is wrong with those that are not.

``manage.py check`` shows it, and no worker starts before it holds.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from .conf import PREFIX, conf, given_names, own_names, uses_time_zones

GATEWAY = "django_mobilon_sms.gateway.MobilonGateway"


class Problem(NamedTuple):
    """A wrong setting: which, what is wrong, and the way out."""

    id: str
    setting: str
    message: str
    hint: str


class Rule(NamedTuple):
    """What one setting must be."""

    id: str
    name: str
    is_met: Callable[[Any], bool]
    must: str
    hint: str


def problems() -> list[Problem]:
    """Every wrong setting; an empty list means that a worker may start."""
    wrong = [_problem(rule) for rule in RULES if not rule.is_met(getattr(conf, rule.name))]
    return [*wrong, *_combined_problems({problem.setting for problem in wrong})]


def require_valid() -> None:
    """Raise ``ImproperlyConfigured`` naming every wrong setting."""
    if found := problems():
        lines = [f"({p.id}) {p.message} {p.hint}" for p in found]
        raise ImproperlyConfigured("\n".join(lines))


def _problem(rule: Rule) -> Problem:
    name = PREFIX + rule.name
    return Problem(rule.id, name, f"{name} must be {rule.must}.", rule.hint)


def _combined_problems(known: set[str]) -> Iterator[Problem]:
    """What one setting alone does not show."""
    if _needs_credentials(conf.BACKEND):
        for id_, name in (("E017", "USERNAME"), ("E018", "PASSWORD")):
            if getattr(conf, name) == "":
                yield Problem(
                    id_, PREFIX + name, f"{PREFIX}{name} is required.", "The vendor gives it."
                )
    if not known & {PREFIX + "LEASE", PREFIX + "TIMEOUT"} and conf.LEASE < 3 * conf.TIMEOUT:
        yield Problem(
            "E019",
            PREFIX + "LEASE",
            f"{PREFIX}LEASE must be at least three times {PREFIX}TIMEOUT.",
            f"Set it to {3 * conf.TIMEOUT:g} or more.",
        )
    yield from _unknown_names()
    if not uses_time_zones():
        yield Problem(
            "E021",
            "USE_TZ",
            "USE_TZ must be True: times are compared with the database's clock, in UTC.",
            "Set USE_TZ = True.",
        )


def _unknown_names() -> Iterator[Problem]:
    names = own_names()
    for name in sorted(given_names() - names):
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Remove it."
        yield Problem("E020", name, f"{name} is not a setting of django_mobilon_sms.", hint)


def _needs_credentials(backend: object) -> bool:
    """Only what speaks to the real gateway needs the vendor's user name and password."""
    return backend == GATEWAY


def _is_base_url(value: Any) -> bool:
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return False
    try:
        url = urlsplit(value)
        host, _port = (url.hostname or "").encode("idna").decode(), url.port
    except ValueError:  # a port that is none, an unclosed bracket, a label over 63 characters
        return False
    plain = not ("@" in url.netloc or url.query or url.fragment)
    scheme = url.scheme == "https" or (url.scheme == "http" and _is_loopback(host))
    return bool(host) and plain and scheme


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_text(value: Any) -> bool:
    """A string that a header can carry: it may be empty, it has no control characters."""
    return isinstance(value, str) and (value == "" or value.isprintable())


def _is_username(value: Any) -> bool:
    return _is_text(value) and ":" not in value


def is_source(value: Any) -> bool:
    """Whether ``value`` can be a sender: 1 to 32 printable ASCII characters, no spaces."""
    return isinstance(value, str) and re.fullmatch(r"[!-~]{1,32}", value) is not None


def _is_backend(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return callable(import_string(value))
    except (ImportError, ValueError, TypeError):  # a name that begins with a dot
        return False


def _is_seconds(value: Any, longest: float) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 < value <= longest


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 1 <= value <= most


def _is_codes(value: Any) -> bool:
    if not isinstance(value, Collection) or isinstance(value, (str, bytes, Mapping)):
        return False
    return all(type(code) is int and 400 <= code <= 499 for code in value)


def _is_replies(value: Any, meanings: set[str]) -> bool:
    return isinstance(value, Mapping) and all(
        type(code) is int and isinstance(meaning, str) and meaning in meanings
        for code, meaning in value.items()
    )


def _is_pattern(value: Any) -> bool:
    if not isinstance(value, str) or not value:
        return False
    try:
        re.compile(value, re.ASCII)
    except (re.error, ValueError, OverflowError, RecursionError):
        return False
    return True


_DAY = 86_400

RULES = (
    Rule(
        "E001",
        "BASE_URL",
        _is_base_url,
        "an https:// address (http:// only for loopback) without user info, query or fragment",
        "Remove the setting to use the vendor's address.",
    ),
    Rule(
        "E002",
        "USERNAME",
        _is_username,
        "a string without a colon or control characters",
        "Basic auth can not carry a colon in the user name.",
    ),
    Rule(
        "E003",
        "PASSWORD",
        _is_text,
        "a string without control characters",
        "Look for a line break at its end.",
    ),
    Rule(
        "E004",
        "SOURCE",
        lambda value: value == "" or is_source(value),
        "1 to 32 printable ASCII characters without spaces",
        "Write the sender's number as the vendor gave it, for example '89234560000'.",
    ),
    Rule(
        "E005",
        "BACKEND",
        _is_backend,
        "the dotted path of a backend class",
        f"Write '{GATEWAY}' or 'django_mobilon_sms.testing.MemoryBackend'.",
    ),
    Rule(
        "E006", "ENABLED", lambda value: isinstance(value, bool), "True or False", "Not a string."
    ),
    Rule(
        "E007",
        "TIMEOUT",
        lambda value: _is_seconds(value, 600),
        "a number of seconds, over 0 and at most 600",
        "The default is 20.",
    ),
    Rule(
        "E008",
        "BATCH_SIZE",
        lambda value: _is_count(value, 100),
        "a whole number from 1 to 100",
        "The gateway takes at most 100 messages in a request.",
    ),
    Rule(
        "E009",
        "CONCURRENCY",
        lambda value: _is_count(value, 64),
        "a whole number from 1 to 64",
        "The default is 4.",
    ),
    Rule(
        "E010",
        "LEASE",
        lambda value: _is_seconds(value, _DAY),
        "a number of seconds, over 0 and at most a day",
        "The default is 300.",
    ),
    Rule(
        "E011",
        "REFUSED_HTTP_CODES",
        _is_codes,
        "a collection of HTTP codes from 400 to 499",
        "An empty list takes every refusal as 'nobody knows'.",
    ),
    Rule(
        "E012",
        "SEND_REPLIES",
        lambda value: _is_replies(value, {"accepted", "failed"}),
        "a dict from the gateway's code to 'accepted' or 'failed'",
        "The default is {0: 'accepted'}.",
    ),
    Rule(
        "E013",
        "STATUS_REPLIES",
        lambda value: _is_replies(value, {"sent", "delivered", "failed"}),
        "a dict from the gateway's code to 'sent', 'delivered' or 'failed'",
        "The default is {1: 'sent'}.",
    ),
    Rule(
        "E014",
        "STATUS_MAX_AGE",
        lambda value: _is_seconds(value, 366 * _DAY),
        "a number of seconds, over 0 and at most a year",
        "The default is 259200, three days.",
    ),
    Rule(
        "E015",
        "MAX_SEGMENTS",
        lambda value: _is_count(value, 255),
        "a whole number from 1 to 255",
        "The default is 10.",
    ),
    Rule(
        "E016",
        "NUMBER_PATTERN",
        _is_pattern,
        "a regular expression",
        r"The default is r'\+79\d{9}'; the whole E.164 number must match.",
    ),
)
