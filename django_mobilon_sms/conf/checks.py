"""``manage.py check``: finds wrong settings and databases before a message meets them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from .cross_checks import missing_source
from .database_checks import database_problems
from .declaration import Problem
from .start_checks import setting_problems
from .url_checks import hidden_urls


@register("mobilon_sms")
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report wrong settings; a missing sender is only a warning."""
    return [*_messages(Error, setting_problems()), *_messages(Warning, missing_source())]


@register(Tags.urls)
def check_urls(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report URLs of the project that the REST API hides."""
    return _messages(Warning, hidden_urls())


@register(Tags.database)
def check_databases(
    app_configs: Sequence[AppConfig] | None, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report unfit databases; Django runs this for ``migrate`` and ``check --database``."""
    aliases = databases or ()
    return [message for alias in aliases for message in _messages(Error, database_problems(alias))]


def _messages(kind: type[Error | Warning], problems: Iterable[Problem]) -> list[CheckMessage]:
    return [kind(p.message, hint=p.hint, id=f"mobilon_sms.{p.id}") for p in problems]
