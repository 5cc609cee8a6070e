"""What every table needs of its database: its clock, its locks, cached SQL, the primary."""

from .chunks import ROWS_PER_STATEMENT, chunked
from .clock import db_now, is_over
from .expressions import (
    BINARY,
    INTEGER,
    JSON,
    TEXT,
    TIME,
    BatchKeys,
    PkIn,
    PrimaryKeys,
    ValuePerPk,
    batch_key,
)
from .lock_waits import ShortLockWaits, short_lock_waits
from .prepared_sql import Build, Change, insert_from, insert_where, select, update
from .primary_queryset import PrimaryQuerySet, quoting_no_row
from .retry_on_lock import PASSING, RETRY_SECONDS, retry_on_lock
from .user_field import user_field

__all__ = [
    "BINARY",
    "INTEGER",
    "JSON",
    "PASSING",
    "RETRY_SECONDS",
    "ROWS_PER_STATEMENT",
    "TEXT",
    "TIME",
    "BatchKeys",
    "Build",
    "Change",
    "PkIn",
    "PrimaryKeys",
    "PrimaryQuerySet",
    "ShortLockWaits",
    "ValuePerPk",
    "batch_key",
    "chunked",
    "db_now",
    "insert_from",
    "insert_where",
    "is_over",
    "quoting_no_row",
    "retry_on_lock",
    "select",
    "short_lock_waits",
    "update",
    "user_field",
]
