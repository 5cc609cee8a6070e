"""The one clock of the outbox: the database's."""

from django.db.models.expressions import Expression
from django.db.models.functions import Now


def db_now() -> Expression:
    """Return the database's current time, because the clocks of two hosts differ."""
    return Now()
