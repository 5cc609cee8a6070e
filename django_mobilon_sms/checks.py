"""``manage.py check``: finds a wrong setting or database before a message does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from .conf import conf
from .models import SmsMessage
from .setting_rules import problems


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
    """MariaDB and MySQL: a session that keeps UTC, and a table that keeps every character."""
    return [
        error
        for alias in databases or ()
        if connections[alias].vendor == "mysql"
        for error in _mysql_errors(alias)
    ]


def _mysql_errors(alias: str) -> Iterator[CheckMessage]:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), CURRENT_TIMESTAMP())")
        if cursor.fetchone() != (0,):
            yield Error(
                f"The session of database '{alias}' is not in UTC: due times would be wrong.",
                hint="OPTIONS = {'init_command': \"SET time_zone = '+00:00'\"}",
                id="mobilon_sms.E030",
            )
        cursor.execute(
            "SELECT character_set_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = %s AND column_name = 'text'",
            [SmsMessage._meta.db_table],
        )
        if (row := cursor.fetchone()) and row[0] != "utf8mb4":
            yield Error(
                f"The texts in database '{alias}' are kept in {row[0]}: emoji would be lost.",
                hint="ALTER DATABASE and the app's tables to CHARACTER SET utf8mb4.",
                id="mobilon_sms.E031",
            )
