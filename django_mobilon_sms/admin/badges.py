"""Statuses, times and error codes as a person reads them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..choices import ErrorCode


def badge(word: str, label: Any) -> SafeString:
    """Return the label in the colour of the status or outcome ``word``."""
    return format_html(
        '<span class="mobilon-sms-badge mobilon-sms-{}">{}</span>', word or "none", label
    )


def sentence(error_code: str) -> Any:
    """Return the sentence of an error code: "-" for none, an unknown code as it is."""
    return ErrorCode(error_code).label if error_code in ErrorCode.values else error_code or "-"


def moment(value: datetime | None) -> str | None:
    """Return a local time in Django's short format."""
    if value is None:
        return None
    return formats.date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
