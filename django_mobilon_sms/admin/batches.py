"""The journal in the admin: every request to the gateway, its outcome and its messages."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import display_for_value
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..models import SmsBatch, SmsMessage
from .actions import catalogue
from .badges import badge, explanation, sentence, short_moment
from .bounded_paginator import BoundedList
from .messages.filters import OutcomeFilter


@admin.register(SmsBatch)
class JournalAdmin(BoundedList):
    """Batches can only be read: they are the proof of what was sent."""

    actions = None
    fields = (
        "outcome_badge",
        "what_happened_and_next",
        "http_code",
        "worker",
        "created_at",
        "closed_at",
        "applied_at",
        "lease_until",
        "contents",
    )
    list_display = (
        "claimed",
        "outcome_badge",
        "what_happened",
        "http_code",
        "size",
        "duration",
        "worker",
    )
    list_filter = (OutcomeFilter, "created_at")
    ordering = ("-created_at", "-pk")
    sortable_by = ("claimed",)

    class Media:
        css = {"all": ("mobilon_sms/admin.css",)}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the number of messages that wait for a decision, for a person who may decide."""
        may_see = request.user.has_perm("mobilon_sms.view_smsmessage")
        batch = context["original"]
        if batch is not None and may_see and catalogue.decisions_of(request.user):
            context["undecided"] = catalogue.DECIDE.eligible(batch.messages.all()).count()
        return super().render_change_form(request, context, *args, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SmsBatch]:
        """Return the batches; guids and replies are read only where they are shown."""
        return super().get_queryset(request).defer("packed_guids", "answers")

    def has_add_permission(self, request: HttpRequest, obj: SmsBatch | None = None) -> bool:
        """Return ``False``: only the worker writes the journal; nobody changes or deletes it."""
        return False

    has_change_permission = has_delete_permission = has_add_permission

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow only the filters of the list, with values that a database can hold."""
        return lookup in ("outcome", "created_at__gte", "created_at__lt") and "\0" not in value

    def get_fields(self, request: HttpRequest, obj: SmsBatch | None = None) -> Any:
        """Return the fields, with links to the messages only for a person who may see them."""
        may_follow = request.user.has_perm("mobilon_sms.view_smsmessage")
        return self.fields if may_follow else (*self.fields[:-1], "contents_without_links")

    @admin.display(description=_("created at"), ordering="created_at")
    def claimed(self, batch: SmsBatch) -> Any:
        """Return the time when its messages were claimed."""
        return short_moment(batch.created_at)

    @admin.display(description=_("outcome"))
    def outcome_badge(self, batch: SmsBatch) -> SafeString:
        """Return what the request proved, or that it may be under way."""
        return badge(batch.outcome, batch.get_outcome_display() or _("under way"))

    @admin.display(description=_("what happened"))
    def what_happened(self, batch: SmsBatch) -> Any:
        """Return the sentence of the error code."""
        return sentence(batch.error_code)

    @admin.display(description=_("what happened"))
    def what_happened_and_next(self, batch: SmsBatch) -> Any:
        """Return the sentence of the error code, and the next step."""
        return explanation(batch.error_code)

    @admin.display(description=_("messages"))
    def size(self, batch: SmsBatch) -> int:
        """Return the number of its messages, which is written when the batch is closed."""
        return batch.message_count or batch.messages.count()

    @admin.display(description=_("seconds"))
    def duration(self, batch: SmsBatch) -> str | None:
        """Return the seconds from the claim to the outcome."""
        if batch.closed_at is None:
            return None
        seconds = (batch.closed_at - batch.created_at).total_seconds()
        return display_for_value(round(seconds, 1), "")

    @admin.display(description=_("messages"))
    def contents(self, batch: SmsBatch) -> SafeString:
        """Return a table of its messages, with what the reply says about each."""
        return _table(batch, with_links=True)

    @admin.display(description=_("messages"))
    def contents_without_links(self, batch: SmsBatch) -> SafeString:
        """Return the same table without links."""
        return _table(batch, with_links=False)


def _table(batch: SmsBatch, *, with_links: bool) -> SafeString:
    guids = batch.guids  # none before it is closed
    rows = SmsMessage.objects.filter(guid__in=guids) if guids else batch.messages.all()
    messages = {str(row.guid): row for row in rows.only("guid", "status")}
    replies = {str(guid): (status, id_) for guid, status, id_ in batch.reply}
    lines = (
        (
            _guid(guid, messages.get(guid), with_link=with_links),
            _status(messages.get(guid)),
            *("" if value is None else value for value in replies.get(guid, ("", ""))),
        )
        for guid in guids or sorted(messages)
    )
    cells = "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"
    return format_html(
        '<table class="mobilon-sms-reply"><thead><tr><th>{}</th><th>{}</th><th>{}</th><th>{}</th>'
        "</tr></thead><tbody>{}</tbody></table>",
        _("guid"),
        _("status now"),
        _("status in the reply"),
        _("id in the reply"),
        format_html_join("", cells, lines),
    )


def _guid(guid: str, message: SmsMessage | None, *, with_link: bool) -> Any:
    if message is None or not with_link:
        return guid
    page = reverse("admin:mobilon_sms_smsmessage_change", args=[message.pk])
    return format_html('<a href="{}">{}</a>', page, guid)


def _status(message: SmsMessage | None) -> Any:
    return badge(message.status, message.get_status_display()) if message else _("deleted")
