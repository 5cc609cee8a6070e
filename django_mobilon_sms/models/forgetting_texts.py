"""When a text is forgotten: at once if it is sensitive, else after ``FORGET_TEXT_AFTER``."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Case, Expression, F, Q, Value, When

from ..conf import conf
from .clock import db_now
from .prepared_sql import TEXT, TIME


def unless_sensitive() -> Expression:
    """The text of a message that went out, or will not any more."""
    return Case(When(sensitive=True, then=Value("", TEXT)), default=F("text"))


def forget_from() -> Expression:
    """Since when such a text may be forgotten; empty where it is kept for ever."""
    return db_now() if conf.FORGET_TEXT_AFTER is not None else Value(None, TIME)


def kept_long_enough() -> Q:
    """The messages whose text is to be forgotten now."""
    kept = timedelta(seconds=conf.FORGET_TEXT_AFTER or 0)
    return Q(forget_from__lte=db_now() - kept)
