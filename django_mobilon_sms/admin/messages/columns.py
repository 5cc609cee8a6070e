"""The columns of the list and the fields of the page that the model itself does not have."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from ...choices import Status
from ...conf import conf
from ...models import SmsMessage
from ...phone_numbers import readable_number
from ..actions import menu
from ..badges import badge, sentence, short_moment
from .filters import LONG_WAIT

#: Characters of a text in the list.
TEXT_LENGTH = 50


class MessageColumns:
    """The methods that ``list_display`` and ``fieldsets`` name."""

    @admin.display(description=_("status"))
    def status_badge(self, message: SmsMessage) -> SafeString:
        """Return the status, and the resolution if there is one."""
        status = badge(message.status, message.get_status_display())
        resolution = message.get_resolution_display() if message.resolution else ""
        # list.js reads the attribute, to offer only what is possible for the chosen rows.
        possible = " ".join(menu.for_row(message))
        return format_html('<span data-possible="{}">{} {}</span>', possible, status, resolution)

    @admin.display(description=_("decision"))
    def decision(self, message: SmsMessage) -> Any:
        """Return the resolution."""
        return message.get_resolution_display()

    @admin.display(description=_("number"), ordering="number")
    def recipient(self, message: SmsMessage) -> str:
        """Return the number in groups, without the help text of the model's own field."""
        return readable_number(message.number)

    @admin.display(description=_("created at"), ordering="created_at")
    def written(self, message: SmsMessage) -> Any:
        """Return the time when the message was written."""
        return short_moment(message.created_at)

    @admin.display(description=_("sent at"))
    def sent(self, message: SmsMessage) -> Any:
        """Return when it was sent, as the gateway reports it, or how long it has waited."""
        now: datetime = message.now  # type: ignore[attr-defined]  # annotated by the list
        if message.sent_at:
            return short_moment(message.sent_at)
        if message.status == Status.PENDING and message.due_at > now:
            return format_html("{} {}", _("planned:"), short_moment(message.due_at))
        if message.status == Status.PENDING:
            return _waiting_since(message.due_at, now)
        is_asked_for: bool = message.can_refresh  # type: ignore[attr-defined]  # annotated too
        if message.status == Status.ACCEPTED and is_asked_for and message.accepted_at:
            return _report_waited_for(message.accepted_at, now)
        return None

    @admin.display(description=_("text"))
    def beginning(self, message: SmsMessage) -> str:
        """Return the beginning of the text, on one line."""
        text = Truncator(" ".join(message.text.split())).chars(TEXT_LENGTH)
        return text or str(_("forgotten"))

    @admin.display(description=_("text"))
    def whole_text(self, message: SmsMessage) -> SafeString:
        """Return the text with its line breaks and spaces."""
        if not message.text:
            return format_html('<span class="mobilon-sms-hidden">{}</span>', _("forgotten"))
        return format_html('<span class="mobilon-sms-text">{}</span>', message.text)

    @admin.display(description=_("text"))
    def hidden_text(self, message: SmsMessage) -> SafeString:
        """Return a placeholder, for a person who may not see texts."""
        return format_html('<span class="mobilon-sms-hidden">{}</span>', _("hidden"))

    @admin.display(description=_("what happened"))
    def what_happened(self, message: SmsMessage) -> Any:
        """Return the sentence of the error code."""
        return sentence(message.error_code)


def usual_columns(messages: Iterable[SmsMessage]) -> set[str]:
    """Return the columns that are no use for these messages, because each has the usual value."""
    usual = {"segments": 1, "tag": "", "source": conf.SOURCE}
    rows = list(messages)
    return {
        name for name, value in usual.items() if all(getattr(row, name) == value for row in rows)
    }


def _waiting_since(due_at: datetime, now: datetime) -> Any:
    if now - due_at <= LONG_WAIT:
        return _time_waited(due_at, now)
    overdue = _("overdue: %(time)s") % {"time": timesince(due_at, now, depth=1)}
    return format_html('<span class="mobilon-sms-late">{}</span>', overdue)


def _report_waited_for(accepted_at: datetime, now: datetime) -> Any:
    if now - accepted_at < timedelta(minutes=1):
        return _("waits for the report")
    return _("waits for the report: %(time)s") % {"time": timesince(accepted_at, now, depth=1)}


def _time_waited(then: datetime, now: datetime) -> Any:
    if now - then < timedelta(minutes=1):
        return _("waits")
    return _("waits %(time)s") % {"time": timesince(then, now, depth=1)}
