"""A database clock that jumps, for every process of a storm.

The host's clock is nobody's to set, so each database is given another function for its time:

* SQLite: each connection replaces ``strftime``.
* PostgreSQL: a schema before ``pg_catalog`` has a ``statement_timestamp`` of its own, also for the
  defaults of columns.
* MariaDB: each connection sets its ``timestamp`` before each statement.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

PATH = "CHAOS_CLOCK"
SCHEMA = [
    "CREATE SCHEMA clock",
    "CREATE TABLE clock.jump (seconds integer)",
    "INSERT INTO clock.jump VALUES (0)",
    "CREATE FUNCTION clock.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$"
    " SELECT pg_catalog.statement_timestamp() + seconds * interval '1 second' FROM clock.jump $$",
    "ALTER DATABASE {name} SET search_path = clock, pg_catalog, public",
]
#: Binds the defaults of all columns anew, to the function that is found first.
DEFAULTS = """
DO $$ DECLARE columns record; BEGIN
FOR columns IN SELECT table_name, column_name FROM information_schema.columns
WHERE column_default LIKE '%statement_timestamp%' LOOP
EXECUTE format('ALTER TABLE %I ALTER COLUMN %I SET DEFAULT statement_timestamp()',
columns.table_name, columns.column_name);
END LOOP; END $$"""


@contextmanager
def movable(path: Path) -> Iterator[None]:
    """Let ``jump()`` move the clock of all connections that are made meanwhile."""
    os.environ[PATH] = str(path)
    path.write_text("0")
    if connection.vendor == "postgresql":
        execute(*SCHEMA)
        connection.close()
        execute(DEFAULTS)
    connection.close()
    try:
        yield
    finally:
        del os.environ[PATH]
        if connection.vendor == "postgresql":
            execute("ALTER DATABASE {name} RESET search_path")
            connection.close()
            execute(DEFAULTS, "DROP SCHEMA clock CASCADE")
        connection.close()


def jump(seconds: int) -> None:
    """Move the clock so far from the right time."""
    laid = Path(os.environ[PATH]).with_suffix(".new")
    laid.write_text(str(seconds))
    laid.rename(os.environ[PATH])
    if connection.vendor == "postgresql":
        execute(f"UPDATE clock.jump SET seconds = {seconds}")


def execute(*statements: str) -> None:
    """Execute statements; ``{name}`` is the database's."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.replace("{name}", connection.settings_dict["NAME"]))


def shift() -> int:
    """Return how far the clock is from the right time, in seconds."""
    return int(Path(os.environ[PATH]).read_text())


def obey(made: Any) -> None:
    """Let a new connection obey the clock, if it is movable."""
    if PATH not in os.environ:
        return
    if made.vendor == "sqlite":
        made.connection.create_function("strftime", 2, strftime)
    elif made.vendor == "mysql" and set_timestamp not in made.execute_wrappers:
        made.execute_wrappers.append(set_timestamp)


def strftime(form: str, when: str) -> str:
    """Return what SQLite's function says of ``NOW``, by this clock."""
    assert (form, when.upper()) == ("%Y-%m-%d %H:%M:%f", "NOW")
    now = time.time() + shift()
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}"


def set_timestamp(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
    """Set the time of MariaDB's session to that of this clock (an execute wrapper)."""
    if PATH in os.environ:
        context["connection"].connection.query(f"SET timestamp = {time.time() + shift():.6f}")
    return execute(sql, params, many, context)
