"""The one clock of the outbox: the database's."""

from datetime import timedelta
from functools import cache

from django.db.models import Q, functions
from django.db.models.expressions import Expression

#: Makes the expression once: Django inspects the arguments of each new one to compare it.
Now = cache(functions.Now)


def db_now() -> Expression:
    """Return the database's current time, because the clocks of two hosts differ."""
    return Now()


def is_over(end: str, longest: timedelta) -> Q:
    """Return the condition that a wait is over; one that ends later than any can is over too."""
    return Q((f"{end}__lte", db_now())) | Q((f"{end}__gt", db_now() + longest))
