"""When a text is forgotten: at once if it is sensitive, else after ``FORGET_TEXT_AFTER``."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Case, Expression, F, Q, Value, When

from ...conf import conf
from ...database import TEXT, TIME, db_now


def unless_sensitive() -> Expression:
    """Return the text of a message that needs it no more: empty if the message is sensitive."""
    return Case(When(sensitive=True, then=Value("", TEXT)), default=F("text"))


def forget_from() -> Expression:
    """Return the time from which ``FORGET_TEXT_AFTER`` counts; empty if texts are kept for ever."""
    return db_now() if conf.FORGET_TEXT_AFTER is not None else Value(None, TIME)


def kept_long_enough() -> Q:
    """Return the condition for messages whose text is due to be forgotten."""
    kept = timedelta(seconds=conf.FORGET_TEXT_AFTER or 0)
    return Q(forget_from__lte=db_now() - kept)
