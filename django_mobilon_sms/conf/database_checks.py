"""What a database must be to keep times and texts right. Only MariaDB and MySQL leave a choice."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections, router
from django.utils.translation import gettext as _

from .rules import Problem

#: By its name, because the models import this room.
MESSAGE = "mobilon_sms.SmsMessage"


def database_problems(alias: str) -> Iterator[Problem]:
    """What is wrong with this database, and the way out."""
    if connections[alias].vendor != "mysql":
        return
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), CURRENT_TIMESTAMP()),"
            " (SELECT character_set_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = %s AND column_name = 'text')",
            [_table()],
        )
        minutes, charset = cursor.fetchone()
        if minutes != 0:
            yield Problem(
                "E030",
                alias,
                f"The session of database '{alias}' is not in UTC: due times would be wrong.",
                "OPTIONS = {'init_command': \"SET time_zone = '+00:00'\"}",
            )
        if charset not in (None, "utf8mb4"):
            yield Problem(
                "E031",
                alias,
                f"The texts in database '{alias}' are kept in {charset}: emoji would be lost.",
                "ALTER DATABASE and the app's tables to CHARACTER SET utf8mb4.",
            )


def require_fit(alias: str) -> None:
    """Raise ``ImproperlyConfigured`` if times or texts would come out wrong."""
    if found := list(database_problems(alias)):
        raise ImproperlyConfigured("\n".join(f"({p.id}) {p.message} {p.hint}" for p in found))


def database_trouble(error: Error) -> str:
    """One line that says what is wrong with the database, without its own words."""
    try:
        tables = connections[
            router.db_for_write(apps.get_model(MESSAGE))
        ].introspection.table_names()
    except Error:
        return _("The database can not be reached (%s).") % type(error).__name__
    if _table() not in tables:
        return _("The database has no tables for messages. Run: manage.py migrate mobilon_sms")
    return _("The database refused the work (%s).") % type(error).__name__


def _table() -> str:
    return str(apps.get_model(MESSAGE)._meta.db_table)
