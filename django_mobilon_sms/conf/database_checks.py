"""Checks that a database keeps times, texts and outcomes: only MariaDB and MySQL may not."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.db import Error, connections, router
from django.utils.translation import gettext as _

from .declaration import Problem
from .settings import conf

#: By name, because the models import this room.
APP = "mobilon_sms"
MESSAGE = f"{APP}.SmsMessage"

#: The ``innodb_autoinc_lock_mode`` in which a row may appear after one with a greater number.
INTERLEAVED = 2

#: The offset of the session's time zone in minutes, how InnoDB numbers rows, the character set of
#: texts, and the tables whose engine has no transactions. One statement, because every run begins
#: with it.
_QUESTIONS = """
SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), CURRENT_TIMESTAMP()), @@innodb_autoinc_lock_mode,
    (SELECT character_set_name FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = %s AND column_name = 'text'),
    (SELECT GROUP_CONCAT(made.table_name ORDER BY made.table_name SEPARATOR ', ')
        FROM information_schema.tables AS made
        LEFT JOIN information_schema.engines AS known ON known.engine = made.engine
        WHERE made.table_schema = DATABASE() AND made.table_type = 'BASE TABLE'
        AND made.table_name IN ({}) AND COALESCE(known.transactions, 'NO') <> 'YES')
"""


def database_problems(alias: str) -> Iterator[Problem]:
    """Yield what is wrong with this database."""
    if connections[alias].vendor != "mysql":
        return
    tables = [model._meta.db_table for model in apps.get_app_config(APP).get_models()]
    with connections[alias].cursor() as cursor:
        cursor.execute(_QUESTIONS.format(", ".join(["%s"] * len(tables))), [_table(), *tables])
        minutes, lock_mode, charset, unsafe = cursor.fetchone()
    if minutes != 0:
        message = f"The session of database '{alias}' is not in UTC, so due times would be wrong."
        hint = "Write OPTIONS = {'init_command': \"SET time_zone = '+00:00'\"} in DATABASES."
        yield Problem("E030", alias, message, hint)
    if charset not in (None, "utf8mb4"):
        message = f"Database '{alias}' stores texts in {charset}, so emoji would be lost."
        hint = "ALTER the database and the app's tables to CHARACTER SET utf8mb4."
        yield Problem("E031", alias, message, hint)
    if unsafe:
        message = (
            f"Tables of database '{alias}' have no transactions, so outcomes get lost: {unsafe}."
        )
        hint = "ALTER TABLE ... ENGINE = InnoDB for each of them."
        yield Problem("E033", alias, message, hint)
    if conf.EVENTS is not None and lock_mode == INTERLEAVED:
        message = (
            f"Database '{alias}' interleaves the numbers of events, so readers could miss some."
        )
        hint = "Set innodb_autoinc_lock_mode = 1 in the server's configuration, or EVENTS to None."
        yield Problem("E035", alias, message, hint)


def database_trouble(error: Error) -> str:
    """Return one line about a database error, without the database's own words."""
    connection = connections[router.db_for_write(apps.get_model(MESSAGE))]
    try:
        has_table = _table() in connection.introspection.table_names()
    except Error:
        return _("The database cannot be reached (%s).") % type(error).__name__
    if not has_table:
        return _("The database has no tables for messages. Run: manage.py migrate mobilon_sms")
    return _("The database reported an error (%s).") % type(error).__name__


def _table() -> str:
    return str(apps.get_model(MESSAGE)._meta.db_table)
