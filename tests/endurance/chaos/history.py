"""A database trigger records each change of a status, so that none is missed."""

from __future__ import annotations

from django.db import connection

from .invariants import Change

COLUMNS = "old_status, new_status, resolution, resends, error_code"
TABLE = """
CREATE TABLE chaos_history (
    old_status varchar(10), new_status varchar(10), resolution varchar(10), resends integer,
    error_code varchar(20)
)"""
NOTE = (
    f"INSERT INTO chaos_history ({COLUMNS})"
    " VALUES (OLD.status, NEW.status, OLD.resolution, OLD.resends, NEW.error_code);"
)
ON_CHANGE = "AFTER UPDATE ON mobilon_sms_smsmessage FOR EACH ROW"
TRIGGERS = {
    "sqlite": [
        f"CREATE TRIGGER chaos_note {ON_CHANGE} WHEN OLD.status <> NEW.status BEGIN {NOTE} END"
    ],
    "postgresql": [
        "CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {NOTE} RETURN NULL; END $$",
        f"CREATE TRIGGER chaos_note {ON_CHANGE} WHEN (OLD.status <> NEW.status)"
        " EXECUTE FUNCTION chaos_note()",
    ],
    "mysql": [
        f"CREATE TRIGGER chaos_note {ON_CHANGE}"
        f" BEGIN IF OLD.status <> NEW.status THEN {NOTE} END IF; END"
    ],
}


def install() -> None:
    """Create the table and the trigger."""
    with connection.cursor() as cursor:
        for statement in [TABLE, *TRIGGERS[connection.vendor]]:
            cursor.execute(statement)


def clear() -> None:
    """Forget all changes."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM chaos_history")


def changes() -> list[Change]:
    """Return every change since ``clear()``."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {COLUMNS} FROM chaos_history")
        return [Change(*row) for row in cursor.fetchall()]
