"""Short waits for locks: PostgreSQL would wait for ever, MariaDB for 50 seconds.

A claim and a change of the gateway's state may wait for a transaction of the project, and then
others wait for them. SQLite waits 5 seconds by Django's default, and for the whole database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, models
from django.db.models import Expression

#: How long a statement waits for each lock, in seconds.
LOCK_SECONDS = 3


class ShortLockWaits(Expression):
    """A condition that is always true. On PostgreSQL it limits the waits of its transaction.

    It is part of the first statement, because a ``SET LOCAL`` would be one more for every claim.
    A ``lock_timeout`` of the project stays.
    """

    conditional = True

    def __init__(self) -> None:
        super().__init__(output_field=models.BooleanField())

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Return what is true and changes nothing."""
        return "1 = 1", ()

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Set the time that ``SET LOCAL`` would set; a filter is run before its row is locked."""
        unlimited = "current_setting('lock_timeout') = '0'"
        limited = f"set_config('lock_timeout', '{LOCK_SECONDS}s', true)"
        return f"CASE WHEN {unlimited} THEN {limited} END IS DISTINCT FROM ''", ()


@contextmanager
def short_lock_waits(alias: str) -> Iterator[None]:
    """Limit the waits of each INSERT and UPDATE inside, on MariaDB."""
    connection: Any = connections[alias]
    if connection.vendor == "mysql" and connection.mysql_is_mariadb:
        with connection.execute_wrapper(_limited):
            yield
    else:
        yield


def _limited(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    if sql.startswith(("INSERT", "UPDATE")):
        sql = f"SET STATEMENT innodb_lock_wait_timeout={LOCK_SECONDS} FOR {sql}"
    return execute(sql, params, many, context)
