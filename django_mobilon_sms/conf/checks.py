"""``manage.py check``: finds a wrong setting or database before a message does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from .database_checks import database_problems
from .rules import problems
from .settings import conf


@register("mobilon_sms")
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Each wrong setting with its id and the way out."""
    found: list[CheckMessage] = [
        Error(problem.message, hint=problem.hint, id=f"mobilon_sms.{problem.id}")
        for problem in problems()
    ]
    if conf.SOURCE == "":
        found.append(
            Warning(
                "MOBILON_SMS_SOURCE is empty, so every message must name its own sender.",
                hint="Set it to the sender's number that the vendor gave.",
                id="mobilon_sms.W001",
            )
        )
    return found


@register(Tags.database)
def check_databases(
    app_configs: Sequence[AppConfig] | None, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What is wrong with a database; run by ``migrate`` and ``check --database``."""
    return [
        Error(problem.message, hint=problem.hint, id=f"mobilon_sms.{problem.id}")
        for alias in databases or ()
        for problem in database_problems(alias)
    ]
