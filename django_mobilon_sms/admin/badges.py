"""Statuses, times and error codes as a person reads them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..choices import ErrorCode, explain

#: Days by their distance from today.
_DAYS = {-1: _("yesterday"), 0: _("today"), 1: _("tomorrow")}
#: Another day of this year: "Nov 26".
_DAY_FORMAT = pgettext_lazy("date format", "M j")


def badge(word: str, label: Any) -> SafeString:
    """Return the label in the colour of the status or outcome ``word``."""
    return format_html(
        '<span class="mobilon-sms-badge mobilon-sms-{}">{}</span>', word or "none", label
    )


def sentence(error_code: str) -> Any:
    """Return the sentence of an error code: "-" for none, an unknown code as it is."""
    return ErrorCode(error_code).label if error_code in ErrorCode.values else error_code or "-"


def explanation(error_code: str) -> Any:
    """Return the sentence of an error code with the next step."""
    return explain(error_code) if error_code in ErrorCode.values else sentence(error_code)


def short_moment(value: datetime | None) -> Any:
    """Return a local time for a column, ``today 01:30``, with the whole time as its title."""
    if value is None:
        return None
    local = timezone.localtime(value)
    day = (local.date() - timezone.localdate()).days
    if local.year != timezone.localdate().year and day not in _DAYS:
        shown = formats.date_format(local, "SHORT_DATE_FORMAT")
    else:
        shown = f"{_DAYS.get(day) or formats.date_format(local, str(_DAY_FORMAT))} {local:%H:%M}"
    whole = formats.date_format(local, "DATETIME_FORMAT")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat("T", "seconds"), whole, shown
    )
