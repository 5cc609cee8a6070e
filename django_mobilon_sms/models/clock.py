"""The one clock of the outbox: the database's."""

from django.db.models.expressions import Expression
from django.db.models.functions import Now


def db_now() -> Expression:
    """The database's current time, so that no host's own clock decides what is due."""
    return Now()
