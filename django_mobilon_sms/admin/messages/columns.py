"""How a message is shown to a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from ...choices import Status
from ...models import SmsMessage
from ..actions import menu
from ..badges import BEGINNING, FORGOTTEN, _waited, badge, moment, sentence


class MessageFields:
    """What the list and the page show beside the model's own fields."""

    @admin.display(description=_("status"))
    def status_badge(self, message: SmsMessage) -> SafeString:
        """The status, and what a person decided about it."""
        status = badge(message.status, message.get_status_display())
        decided = message.get_resolution_display() if message.resolution else ""
        # For the script that offers what can be done with the chosen rows.
        possible = " ".join(menu.of_row(message))
        return format_html('<span data-possible="{}">{} {}</span>', possible, status, decided)

    @admin.display(description=_("decision"))
    def decision(self, message: SmsMessage) -> Any:
        """A resolution, or a resend: the same columns say who and when."""
        return message.get_resolution_display() or _("send again")

    @admin.display(description=_("number"))
    def recipient(self, message: SmsMessage) -> str:
        """The number, without what helps to fill it in."""
        return message.number

    @admin.display(description=_("created at"), ordering="created_at")
    def written(self, message: SmsMessage) -> str | None:
        """When it was written."""
        return moment(message.created_at)

    @admin.display(description=_("sent at"))
    def sent(self, message: SmsMessage) -> str | None:
        """When it was sent, as the gateway says."""
        return moment(message.sent_at)

    @admin.display(description=_("waits"))
    def waits(self, message: SmsMessage) -> Any:
        """How long it waits for the worker, or for the gateway's report."""
        now: datetime = message.now  # type: ignore[attr-defined]  # of the list's query
        if message.status == Status.PENDING and message.due_at > now:
            return _("until %(time)s") % {"time": moment(message.due_at)}
        if message.status == Status.PENDING:
            return _waited(now - message.due_at, timesince(message.due_at, now, depth=1))
        if message.status == Status.ACCEPTED and message.next_check_at and message.accepted_at:
            return timesince(message.accepted_at, now, depth=1)
        return None

    @admin.display(description=_("text"))
    def beginning(self, message: SmsMessage) -> str:
        """The beginning of the text, on one line."""
        return Truncator(" ".join(message.text.split())).chars(BEGINNING) or str(FORGOTTEN)

    @admin.display(description=_("text"))
    def whole_text(self, message: SmsMessage) -> SafeString:
        """The text with its line breaks and spaces."""
        if not message.text:
            return format_html('<span class="mobilon-sms-hidden">{}</span>', FORGOTTEN)
        return format_html('<span class="mobilon-sms-text">{}</span>', message.text)

    @admin.display(description=_("text"))
    def hidden_text(self, message: SmsMessage) -> SafeString:
        """What is shown to those who may not see texts."""
        return format_html('<span class="mobilon-sms-hidden">{}</span>', _("hidden"))

    @admin.display(description=_("what happened"))
    def what_happened(self, message: SmsMessage) -> Any:
        """The sentence of the error code."""
        return sentence(message.error_code)
