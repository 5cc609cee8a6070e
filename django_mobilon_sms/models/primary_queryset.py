"""Reads that lead to an action come from the primary database."""

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
    """Shorten what the database says when it refuses a row: PostgreSQL quotes all of it.

    The error is a new one, without the frames below: they hold the row as parameters.
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
    """What is read to be acted upon is read where it is written: a replica may lag."""

    def for_write(self) -> Self:
        """These rows in the database that the router names for writing."""
        return self.using(router.db_for_write(self.model))
