"""The page to read a message."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from ...models import SmsMessage
from ..actions import menu
from . import timeline
from .permissions import MessagePermissions

#: The fields of each decision about a message; the last one is its time.
DECISIONS = (
    ("decision", "resolved_by", "resolved_at"),
    ("resent_by", "resent_at"),
    ("cancelled_by", "cancelled_at"),
)


class MessagePage(MessagePermissions):
    """All that is known about a message; the text only for a person who may see it."""

    def get_fieldsets(self, request: HttpRequest, obj: SmsMessage | None = None) -> Any:
        """Return the fields to read."""
        if obj is None:
            return ()
        text = "whole_text" if self.has_text_permission(request) else "hidden_text"
        counts = [name for name in ("attempts", "resends") if getattr(obj, name)]
        gateway = ("batch", "gateway_id", "gateway_status", *counts)
        sets: list[Any] = [
            (None, {"fields": ("status_badge", "what_happened", "recipient", text, "segments")}),
            (_("Sending"), {"fields": ("source", "priority", "tag", "created_by", "guid")}),
            (_("Gateway"), {"fields": gateway}),
        ]
        decisions = [
            name
            for decision in DECISIONS
            if getattr(obj, decision[-1])  # the time
            for name in decision
        ]
        if decisions:
            sets.insert(1, (_("Decision"), {"fields": decisions}))
        return sets

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the timeline, and the actions that are possible now."""
        message = context["original"]  # none on the form to write one
        if message is not None:
            context["timeline"] = timeline.steps(message, message.now)
            context["shows_batches"] = request.user.has_perm("mobilon_sms.view_smsbatch")
        if message is not None and (permitted := self.get_actions(request)):
            possible = menu.for_message(message.pk)
            context["actions"] = [action for action in possible if action.name in permitted]
            context["submission_id"] = uuid4()
        if message is not None and self.has_copy_permission(request):
            context["may_copy"] = menu.is_copyable(message.pk)
        return super().render_change_form(request, context, *args, **kwargs)
