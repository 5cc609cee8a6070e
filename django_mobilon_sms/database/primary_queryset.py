"""Reads for an action come from the primary database; errors of writes quote no row."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django.db import DataError, IntegrityError, models, router

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
