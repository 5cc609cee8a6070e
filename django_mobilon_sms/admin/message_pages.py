"""The form that writes a message, and the page to read one."""

from __future__ import annotations

from functools import partial
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from ..conf import conf
from ..models import SmsMessage
from ..patience import persist
from . import verbs, writing
from .message_list import MessageList

WRITTEN = _("The message was written and waits for the worker.")
WRITTEN_BEFORE = _("This form had written its message already. It was not written twice.")

DEALINGS = ("batch", "gateway_id", "gateway_status", "attempts", "resends")


class MessagePages(MessageList):
    """Writes through the outbox; shows everything, the text to those who may see it."""

    def get_fieldsets(self, request: HttpRequest, obj: SmsMessage | None = None) -> Any:
        """The fields to fill in, or those to read."""
        if obj is None:
            return writing.FIELDSETS
        text = "whole_text" if self.has_text_permission(request) else "hidden_text"
        sets = [
            (None, {"fields": ("status_badge", "what_happened", "recipient", text, "segments")}),
            (_("Sending"), {"fields": ("source", "priority", "tag", "created_by", "guid")}),
            (_("Times"), {"fields": _times(obj)}),
            (_("Gateway"), {"fields": DEALINGS}),
        ]
        if obj.resolved_at:
            decision = {"fields": ("decision", "resolved_by", "resolved_at")}
            sets.insert(1, (_("Decision"), decision))
        return sets

    def get_form(
        self,
        request: HttpRequest,
        obj: SmsMessage | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> type[forms.ModelForm[SmsMessage]]:
        """The form that writes, for this person; a plain one for the page to read."""
        kwargs["form"] = forms.ModelForm if change else writing.MessageForm
        form = super().get_form(request, obj, change, **kwargs)
        if issubclass(form, writing.MessageForm):
            form.writer = cast(AbstractBaseUser, request.user)
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Only the sender: a number or a text in an address would stay in a server's log."""
        return {"source": conf.SOURCE}

    @method_decorator(sensitive_post_parameters("number", "text", "source"))
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Django's own, again after a deadlock or a lock."""
        view = partial(super().changeform_view, request, object_id, form_url, extra_context)
        alias = router.db_for_write(SmsMessage)
        return persist(view, using=alias, seconds=verbs.PATIENCE)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page of a message, with what can be done with it now."""
        message = context["original"]
        if message is not None and self.has_send_permission(request):
            context["verbs"] = verbs.possible(message.pk)
            context["once"] = uuid4()
        return super().render_change_form(request, context, *args, **kwargs)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> SmsMessage:
        """The message that the form has written."""
        message: SmsMessage = form.instance
        return message

    def save_model(self, request: HttpRequest, obj: SmsMessage, form: Any, change: bool) -> None:
        """Nothing is left to save."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing is left to save."""

    def log_addition(self, request: HttpRequest, obj: SmsMessage, message: Any) -> Any:
        """Once, however often the form was sent."""
        return super().log_addition(request, obj, message) if obj.was_written else None

    def response_add(
        self, request: HttpRequest, obj: SmsMessage, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Says that the message waits, and goes on to where the button says."""
        if IS_POPUP_VAR in request.POST:
            return super().response_add(request, obj, post_url_continue)
        if obj.was_written:
            self.message_user(request, str(WRITTEN), messages.SUCCESS)
        else:
            self.message_user(request, str(WRITTEN_BEFORE), messages.WARNING)
        return HttpResponseRedirect(self._after(request, obj))

    def _after(self, request: HttpRequest, message: SmsMessage) -> str:
        page, args = "admin:mobilon_sms_smsmessage_changelist", []
        if "_addanother" in request.POST:
            page = "admin:mobilon_sms_smsmessage_add"
        elif not self.has_view_permission(request):
            page = "admin:index"
        elif "_continue" in request.POST:
            page, args = "admin:mobilon_sms_smsmessage_change", [message.pk]
        return reverse(page, args=args, current_app=self.admin_site.name)


def _times(message: SmsMessage) -> list[str]:
    """What was asked for, and those moments that have come or are known."""
    later = ("expires_at", "accepted_at", "sent_at", "delivered_at", "next_check_at")
    return ["created_at", "send_at", "due_at", *(name for name in later if getattr(message, name))]
