"""The page to write a message on: check, send, send now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from ...models import SmsMessage, retry_on_lock
from ...segments import plain_forms
from ..actions import catalogue, send_now
from ..messages.permissions import MessagePermissions
from ..messages.responses import Responses
from . import form_page, forms, recipients, segment_counter
from .form_page import Button

WRITTEN = ngettext_lazy(
    "The message was written and waits for the worker.",
    "%(count)s messages were written and wait for the worker.",
    "count",
)


WRITTEN_NOW = ngettext_lazy("The message was written.", "%(count)s messages were written.", "count")


WRITTEN_BEFORE = ngettext_lazy(
    "This form had written its message already. It was not written twice.",
    "This form had written %(count)s of its messages already. They were not written twice.",
    "count",
)


#: The buttons that only look again at what was typed, or change it; nothing is written.
LOOKING = ("_check", "_take_out", "_plain")


sensitive = sensitive_post_parameters("numbers", "text", "source", "_take_out")


class WritePage(MessagePermissions, Responses):
    """Django's own form to add, for one text to many; writes through the outbox."""

    add_form_template = form_page.TEMPLATE

    @method_decorator(sensitive)
    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Write what was typed, or show it with what is wrong."""
        now = "_send_now" in request.POST
        if not self.has_add_permission(request) or (now and not self.has_send_permission(request)):
            raise PermissionDenied
        if request.method != "POST":
            return self._page(request, forms.MessageForm(), form_url, extra_context)
        looking = [name for name in LOOKING if name in request.POST]
        form = forms.MessageForm(_retyped(request.POST) if looking else request.POST)
        if not looking and form.is_valid() and (written := self._write(request, form)):
            return self._written(request, written, now=now)
        return self._page(request, form, form_url, extra_context)

    @method_decorator([require_POST, sensitive])
    def recipients_view(self, request: HttpRequest) -> HttpResponse:
        """What is read in the field of recipients, as a piece of the page; writes nothing."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        typed = left = request.POST.get("numbers", "")
        if "_take_out" in request.POST:
            left = recipients.without(typed, request.POST["_take_out"])
        context = {"recipients": recipients.read(left), "left": left if left != typed else None}
        return TemplateResponse(request, "admin/mobilon_sms/writing/recipients.html", context)

    def _page(
        self,
        request: HttpRequest,
        form: forms.MessageForm,
        form_url: str,
        extra_context: dict[str, Any] | None,
    ) -> HttpResponse:
        numbers = form.recipients.numbers if form.is_bound else ()
        check = reverse("admin:mobilon_sms_recipients", current_app=self.admin_site.name)
        shown = form_page.context(
            self,
            request,
            form,
            forms.FIELDSETS,
            title=_("Write a message"),
            buttons=self._buttons(request),
        )
        context = {
            **shown,
            "check_address": check,
            "counter": segment_counter.panel(_typed(form, "text"), recipients=len(numbers)),
            **(extra_context or {}),
        }
        return self.render_change_form(request, context, add=True, form_url=form_url)

    def _buttons(self, request: HttpRequest) -> list[Button]:
        buttons = [Button("_save", _("Send"))]
        if form_page.is_popup(request):
            return buttons
        if self.has_send_permission(request):
            buttons.append(Button("_send_now", catalogue.SEND_NOW.label))
        return [*buttons, Button("_addanother", _("Send and write another"))]

    def _write(self, request: HttpRequest, form: forms.MessageForm) -> list[SmsMessage] | None:
        """The messages, with who wrote them; again after a deadlock or a lock."""
        writer = cast(AbstractBaseUser, request.user)
        alias = router.db_for_write(SmsMessage)

        def attempt() -> list[SmsMessage] | None:
            with transaction.atomic(using=alias):
                written = form.write(writer)
                if new := [message for message in written or () if message.was_written]:
                    LogEntry.objects.log_actions(writer.pk, new, ADDITION, [{"added": {}}])
                return written

        return retry_on_lock(attempt, using=alias, seconds=catalogue.PATIENCE)

    def _written(
        self, request: HttpRequest, written: Sequence[SmsMessage], *, now: bool
    ) -> HttpResponse:
        """Say what became of the messages, and go on to where the button says."""
        if form_page.is_popup(request):
            return self.response_add(request, written[0])
        new = sum(message.was_written for message in written)
        self._show_count(request, messages.SUCCESS, WRITTEN_NOW if now else WRITTEN, new)
        self._show_count(request, messages.WARNING, WRITTEN_BEFORE, len(written) - new)
        if now:
            self._send(request, written)
        return HttpResponseRedirect(self._after(request, written))

    def _send(self, request: HttpRequest, written: Sequence[SmsMessage]) -> None:
        """Deliver what one POST holds of them, and leave the rest to the worker."""
        pks = [message.pk for message in written]
        pending = catalogue.SEND_NOW.eligible(SmsMessage.objects.for_write().filter(pk__in=pks))
        waiting = pending.count()
        if first := send_now.first_request(pending):
            by = cast(AbstractBaseUser, request.user)
            for level, line in send_now.send(first, waiting=waiting, by=by):
                self.message_user(request, str(line), level)

    def _after(self, request: HttpRequest, written: Sequence[SmsMessage]) -> str:
        page, args = "admin:mobilon_sms_smsmessage_changelist", []
        if "_addanother" in request.POST:
            page = "admin:mobilon_sms_smsmessage_add"
        elif not self.has_view_permission(request):
            page = "admin:index"
        elif "_send_now" in request.POST and len(written) == 1:
            page, args = "admin:mobilon_sms_smsmessage_change", [written[0].pk]
        return reverse(page, args=args, current_app=self.admin_site.name)


def _retyped(typed: QueryDict) -> QueryDict:
    """What was typed, with what the button changes in it."""
    data = typed.copy()
    if "_take_out" in data:
        bad = str(data["_take_out"])
        data["numbers"] = recipients.without(str(data.get("numbers", "")), bad)
    if "_plain" in data:
        data["text"] = plain_forms(str(data.get("text", "")))
    return data


def _typed(form: Form, name: str) -> str:
    return str(form[name].value() or "")
