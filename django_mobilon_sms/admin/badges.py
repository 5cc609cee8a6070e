"""Statuses, times and sentences as a person reads them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..choices import ErrorCode
from .messages.filters import TOO_LONG

#: Characters of a text in the list.
BEGINNING = 50


#: What is shown where a text was.
FORGOTTEN = _("forgotten")


def badge(word: str, label: Any) -> SafeString:
    """A word in the colour of what it means."""
    return format_html(
        '<span class="mobilon-sms-badge mobilon-sms-{}">{}</span>', word or "none", label
    )


def sentence(error_code: str) -> Any:
    """What an error code means: a dash for none, the code itself for one of another version."""
    return ErrorCode(error_code).label if error_code in ErrorCode.values else error_code or "-"


def _waited(time: timedelta, words: str) -> Any:
    if time <= TOO_LONG:
        return words
    return format_html(
        '<span class="mobilon-sms-late">{}</span>', _("%(time)s: too long") % {"time": words}
    )


def moment(value: datetime | None) -> str | None:
    """A time, short enough for a column."""
    if value is None:
        return None
    return formats.date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
