"""Checks that one setting's own declaration cannot express."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

from django.conf import settings

from .declaration import PREFIX, Problem
from .gateway_settings import GATEWAY
from .settings import conf, declared
from .webhooks import webhook_problems

SOURCE, LEASE, TIMEOUT = (f"{PREFIX}{name}" for name in ("SOURCE", "LEASE", "TIMEOUT"))


def cross_problems(wrong: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with settings together; ``wrong`` names those reported already."""
    yield from _missing_credentials()
    if not {LEASE, TIMEOUT} & set(wrong):
        yield from _short_lease()
    yield from _unknown_names()
    yield from webhook_problems(wrong)
    if not settings.USE_TZ:
        message = "USE_TZ must be True: times are compared with the database's clock, in UTC."
        yield Problem("E021", "USE_TZ", message, "Set USE_TZ = True.")


def missing_source() -> Iterator[Problem]:
    """Yield a warning if messages have no default sender."""
    if conf.SOURCE == "":
        message = f"{SOURCE} is empty, so every message must name its own sender."
        hint = "Set it to the sender's number that the vendor gave."
        yield Problem("W001", SOURCE, message, hint)


def _missing_credentials() -> Iterator[Problem]:
    if conf.BACKEND != GATEWAY:
        return
    for id_, name, value in (
        ("E017", f"{PREFIX}USERNAME", conf.USERNAME),
        ("E018", f"{PREFIX}PASSWORD", conf.PASSWORD),
    ):
        if value == "":
            yield Problem(id_, name, f"{name} is required.", "The vendor gives it.")


def _short_lease() -> Iterator[Problem]:
    least = 3 * conf.TIMEOUT
    if least > conf.LEASE:
        message = f"{LEASE} must be at least three times {TIMEOUT}."
        yield Problem("E019", LEASE, message, f"Set it to {least:g} or more.")


def _unknown_names() -> Iterator[Problem]:
    names = {setting.name for setting in declared()}
    given = {name for name in dir(settings) if name.startswith(PREFIX)}
    for name in sorted(given - names):
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Remove it."
        yield Problem("E020", name, f"{name} is not a setting of django_mobilon_sms.", hint)
