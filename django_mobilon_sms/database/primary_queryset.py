"""Reads for an action come from the primary database; errors of writes quote no row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django.db import DataError, IntegrityError, connections, models, router

if TYPE_CHECKING:
    from typing_extensions import Self

P = ParamSpec("P")
R = TypeVar("R")


def quoting_no_row(write: Callable[P, R]) -> Callable[P, R]:
    """Cut a database's refusal of a row to its first line: PostgreSQL quotes the whole row below.

    Raise a new error without the frames below it, because they hold the row as parameters.
    """

    @wraps(write)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return write(*args, **kwargs)
        except (IntegrityError, DataError) as error:
            refusal = type(error)(str(error).partition("\n")[0])
        raise refusal

    return wrapper


class PrimaryQuerySet(models.QuerySet[Any]):
    """Rows that can be read from the database they are written to, because a replica may lag."""

    def for_write(self) -> Self:
        """Return these rows in the database that the project's router names for writing."""
        return self.using(router.db_for_write(self.model))

    def commit_missing(self, rows: Sequence[models.Model]) -> None:
        """Insert those rows to lock that are missing, on MySQL and MariaDB, outside a transaction.

        There, transactions that wait for a new row meet a deadlock when its INSERT is rolled back.
        """
        connection: Any = connections[self.db]
        if connection.vendor != "mysql" or connection.in_atomic_block:
            return
        pks = [row.pk for row in rows]
        found = set(self.filter(pk__in=pks).values_list("pk", flat=True))
        missing = [row for row in rows if row.pk not in found]
        self.bulk_create(missing, ignore_conflicts=True)

    def lock_rows(self, rows: Sequence[models.Model]) -> None:
        """Insert these rows, or change ``locked_at`` of those that exist: both lock them.

        One statement, and a write, so that SQLite waits for its lock instead of failing.
        """
        named = connections[self.db].features.supports_update_conflicts_with_target
        self.bulk_create(
            rows,
            update_conflicts=True,
            update_fields=["locked_at"],
            unique_fields=["pk"] if named else None,
        )
