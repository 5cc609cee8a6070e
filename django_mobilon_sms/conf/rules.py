"""What each setting must be, and what is wrong with those that are not.

``manage.py check`` shows it, and no worker starts before it holds.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured

from .settings import PREFIX, conf, given_names, own_names, uses_time_zones
from .validators import (
    is_base_url,
    is_callable,
    is_codes,
    is_count,
    is_daily_limit,
    is_of_each_sender,
    is_pattern,
    is_quiet_hours,
    is_rate,
    is_replies,
    is_seconds,
    is_source,
    is_text,
    is_username,
)

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


_DAY = 86_400


RULES = (
    Rule(
        "E001",
        "BASE_URL",
        is_base_url,
        "an https:// address (http:// only for loopback) without user info, query or fragment",
        "Remove the setting to use the vendor's address.",
    ),
    Rule(
        "E002",
        "USERNAME",
        is_username,
        "a string without a colon or control characters",
        "Basic auth can not carry a colon in the user name.",
    ),
    Rule(
        "E003",
        "PASSWORD",
        is_text,
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
        is_callable,
        "the dotted path of a backend class",
        f"Write '{GATEWAY}' or 'django_mobilon_sms.testing.MemoryBackend'.",
    ),
    Rule(
        "E006", "ENABLED", lambda value: isinstance(value, bool), "True or False", "Not a string."
    ),
    Rule(
        "E007",
        "TIMEOUT",
        lambda value: is_seconds(value, 600),
        "a number of seconds, over 0 and at most 600",
        "The default is 20.",
    ),
    Rule(
        "E008",
        "BATCH_SIZE",
        lambda value: is_count(value, 100),
        "a whole number from 1 to 100",
        "The gateway takes at most 100 messages in a request.",
    ),
    Rule(
        "E009",
        "CONCURRENCY",
        lambda value: is_count(value, 64),
        "a whole number from 1 to 64",
        "The default is 4.",
    ),
    Rule(
        "E010",
        "LEASE",
        lambda value: is_seconds(value, _DAY),
        "a number of seconds, over 0 and at most a day",
        "The default is 300.",
    ),
    Rule(
        "E011",
        "REFUSED_HTTP_CODES",
        is_codes,
        "a collection of HTTP codes from 400 to 499",
        "An empty list takes every refusal as 'nobody knows'.",
    ),
    Rule(
        "E012",
        "SEND_REPLIES",
        lambda value: is_replies(value, {"accepted", "failed"}),
        "a dict from the gateway's code to 'accepted' or 'failed'",
        "The default is {0: 'accepted'}.",
    ),
    Rule(
        "E013",
        "STATUS_REPLIES",
        lambda value: is_replies(value, {"sent", "delivered", "failed"}),
        "a dict from the gateway's code to 'sent', 'delivered' or 'failed'",
        "The default is {1: 'sent'}.",
    ),
    Rule(
        "E014",
        "STATUS_MAX_AGE",
        lambda value: is_seconds(value, 366 * _DAY),
        "a number of seconds, over 0 and at most a year",
        "The default is 259200, three days.",
    ),
    Rule(
        "E015",
        "MAX_SEGMENTS",
        lambda value: is_count(value, 255),
        "a whole number from 1 to 255",
        "The default is 10.",
    ),
    Rule(
        "E016",
        "NUMBER_PATTERN",
        is_pattern,
        "a regular expression",
        r"The default is r'\+79\d{9}'; the whole E.164 number must match.",
    ),
    Rule(
        "E022",
        "FORGET_TEXT_AFTER",
        lambda value: value is None or is_seconds(value, 366 * _DAY),
        "a number of seconds, over 0 and at most a year, or None",
        "None keeps the texts; 3600 forgets each an hour after its message went out.",
    ),
    Rule(
        "E023",
        "DUPLICATE_WITHIN",
        lambda value: value is None or is_seconds(value, 366 * _DAY),
        "a number of seconds, over 0 and at most a year, or None",
        "None allows duplicates; 60 refuses the same text to the same number within a minute.",
    ),
    Rule(
        "E024",
        "RATE",
        lambda value: value is None or is_of_each_sender(value, is_rate),
        "a rate like '20/m' (s, m or h), a dict from senders to rates, or None",
        "For the senders that a dict does not name, write '*'.",
    ),
    Rule(
        "E025",
        "DAILY_LIMIT",
        lambda value: value is None or is_of_each_sender(value, is_daily_limit),
        "a whole number from 1, a dict from senders to such numbers, or None",
        "It counts message parts; for the senders that a dict does not name, write '*'.",
    ),
    Rule(
        "E026",
        "QUIET_HOURS",
        lambda value: value is None or is_quiet_hours(value),
        "two times of the day and a time zone, like '21:00-09:00 Europe/Moscow', or None",
        "Without a zone the times are those of TIME_ZONE.",
    ),
    Rule(
        "E027",
        "LIFETIME",
        lambda value: value is None or (is_seconds(value, 366 * _DAY) and value >= 60),
        "a number of seconds, at least 60 and at most a year, or None",
        "None lets messages wait as long as it takes; 86400 lets them expire after a day.",
    ),
    Rule(
        "E028",
        "REST_OWN_MESSAGES_ONLY",
        lambda value: isinstance(value, bool),
        "True or False",
        "True shows each user of the REST API the messages they wrote themselves, and no others.",
    ),
    Rule(
        "E029",
        "REST_HOURLY_PER_NUMBER",
        lambda value: value is None or is_count(value, 1000),
        "a whole number from 1 to 1000, or None",
        "None sets no limit; 10 refuses the eleventh message to a number within an hour.",
    ),
    Rule(
        "E032",
        "WAKE_UP",
        lambda value: value is None or is_callable(value),
        "the dotted path of a function without arguments, or None",
        "Write 'django_mobilon_sms.contrib.celery.wake_up' to have a task of Celery send.",
    ),
)
