"""The one clock of the outbox: the database's."""

from functools import cache

from django.db.models import functions
from django.db.models.expressions import Expression

#: Makes the expression once: Django inspects the arguments of each new one to compare it.
Now = cache(functions.Now)


def db_now() -> Expression:
    """Return the database's current time, because the clocks of two hosts differ."""
    return Now()
