"""Changes that a page makes: retried while the database is locked, and then given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import models, router

from ..models import PASSING, retry_on_lock

T = TypeVar("T")

#: Seconds during which a change is retried after deadlocks and locks.
PATIENCE = 5.0


class DatabaseBusy(Exception):
    """The change was rolled back. ``NonAtomic`` answers with a page that offers to try again."""


def write(change: Callable[[], T], model: type[models.Model]) -> T:
    """Call a function that changes rows of the model, and return its result.

    The function changes all or nothing. Raises ``DatabaseBusy`` after ``PATIENCE``.
    """
    try:
        return retry_on_lock(change, using=router.db_for_write(model), seconds=PATIENCE)
    except PASSING as error:
        raise DatabaseBusy from error
