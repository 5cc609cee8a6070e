"""A check of the project's URLs: the REST API answers every address below its prefix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from .declaration import Problem

#: By name, because the API imports this room.
API = "django_mobilon_sms.rest.urls"


def hidden_urls() -> Iterator[Problem]:
    """Yield a warning for each URL of the project that the API hides."""
    if getattr(settings, "ROOT_URLCONF", None):
        yield from _hidden(get_resolver().url_patterns)


def _hidden(patterns: Sequence[URLPattern | URLResolver]) -> Iterator[Problem]:
    prefix = None
    for entry in patterns:
        route = str(entry.pattern)
        if prefix is not None and route.startswith(prefix):
            message = f"The URL '{route}' is never reached: the API at '{prefix}' answers it first."
            hint = "Move it before the API, or give the API a prefix of its own."
            yield Problem("W002", "ROOT_URLCONF", message, hint)
        elif isinstance(entry, URLResolver):
            if getattr(entry.urlconf_name, "__name__", entry.urlconf_name) == API:
                prefix = route
            else:
                yield from _hidden(entry.url_patterns)
