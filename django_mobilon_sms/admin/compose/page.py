"""The page to write a message on: check, send, send now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin.exceptions import DisallowedModelAdminToField
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.admin.options import TO_FIELD_VAR
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from ...models import SmsMessage
from ..actions import catalogue, confirmation, copy, menu, send_now
from ..actions.changelist_actions import SKIPPED
from ..database_busy import write
from ..messages.permissions import MessagePermissions
from ..messages.responses import Responses
from . import form_page, forms, preview
from .form_page import Button

QUEUED = ngettext_lazy("The message is queued.", "%(count)s messages are queued.", "count")
CREATED = ngettext_lazy("The message was created.", "%(count)s messages were created.", "count")
CREATED_BEFORE = ngettext_lazy(
    "This form was already submitted. Its message was not created again.",
    "This form was already submitted. %(count)s of its messages were not created again.",
    "count",
)

CHECKED = _("Nothing has been sent yet. To send the message, press a button below.")

sensitive = sensitive_post_parameters("numbers", "text", "source", "_remove")


class WritePage(MessagePermissions, Responses):
    """Django's own form to add, for one text to many; writes through the outbox."""

    add_form_template = form_page.TEMPLATE

    @method_decorator(sensitive)
    @sensitive_variables()
    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Write the messages, or show the form with its errors."""
        # Of a popup, which gets the value of this field.
        to_field = request.POST.get(TO_FIELD_VAR, request.GET.get(TO_FIELD_VAR))
        if to_field and not self.to_field_allowed(request, to_field):
            raise DisallowedModelAdminToField(to_field)
        pressed = form_page.writing_button(request.POST)
        now = "_send_now" in request.POST
        if not self.has_add_permission(request) or (now and not self.has_send_permission(request)):
            raise PermissionDenied
        if request.method != "POST":
            return self._opened(request, form_url, extra_context)
        form = self._form(request, form_page.edited(request.POST))
        if pressed and form.is_valid():
            if question := preview.question(form, request.POST, pressed):
                popup = form_page.is_popup(request)
                return confirmation.ask(self, request, is_popup=popup, **question)
            if written := self._write(request, form):
                return self._after_writing(request, written, now=now)
        checked = None if pressed or form.errors or form.refused else CHECKED
        context = {"checked": checked, **(extra_context or {})}
        return self._page(request, form, form_url, context)

    @method_decorator([require_POST, sensitive])
    @sensitive_variables()
    def recipients_view(self, request: HttpRequest) -> HttpResponse:
        """Return the panel of the recipients typed so far. Writes nothing."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self._form(request, form_page.edited(request.POST))
        typed, left = request.POST.get("numbers", ""), form.data.get("numbers", "")
        context = {"form": form, "left": left if left != typed else None, "faults": form.faults}
        return TemplateResponse(request, "admin/mobilon_sms/writing/recipients.html", context)

    def _opened(
        self, request: HttpRequest, form_url: str, extra_context: dict[str, Any] | None
    ) -> HttpResponse:
        """Show the empty form, or one with the values of the message that ``?copy=`` names."""
        if "copy" not in request.GET:
            return self._page(request, self._form(request), form_url, extra_context)
        if not self.has_copy_permission(request):
            raise PermissionDenied
        original = self.get_object(request, request.GET["copy"])
        if original is None or not menu.is_copyable(original.pk):
            self._show_count(request, messages.WARNING, SKIPPED, 1)
            return HttpResponseRedirect(self._address("smsmessage_changelist"))
        form = self._form(request, initial=copy.fields(original) | {"copy_of": original.pk})
        return self._page(request, form, form_url, extra_context)

    def _form(
        self, request: HttpRequest, data: QueryDict | None = None, **options: Any
    ) -> forms.MessageForm:
        return forms.MessageForm(data, writer=cast(AbstractBaseUser, request.user), **options)

    def _page(
        self,
        request: HttpRequest,
        form: forms.MessageForm,
        form_url: str,
        extra_context: dict[str, Any] | None,
    ) -> HttpResponse:
        check = reverse("admin:mobilon_sms_recipients", current_app=self.admin_site.name)
        return form_page.render(
            self,
            request,
            form,
            forms.OPEN_FIELDSETS if form["copy_of"].value() else forms.FIELDSETS,
            title=_("Write a message"),
            buttons=self._buttons(request),
            enter=Button("_check", _("Check")),
            form_url=form_url,
            recipient_count=len(form.recipients.numbers),
            extra_context={"check_address": check, **(extra_context or {})},
        )

    def _buttons(self, request: HttpRequest) -> list[Button]:
        buttons = [Button("_save", _("Send"))]
        if form_page.is_popup(request):
            return buttons
        if self.has_send_permission(request):
            buttons.append(Button("_send_now", catalogue.SEND_NOW.label))
        return [*buttons, Button("_addanother", _("Send and write another"))]

    def _write(self, request: HttpRequest, form: forms.MessageForm) -> list[SmsMessage] | None:
        """Write the messages and their history, or return ``None`` if the form has errors."""
        writer = cast(AbstractBaseUser, request.user)
        alias = router.db_for_write(SmsMessage)

        def attempt() -> list[SmsMessage] | None:
            with transaction.atomic(using=alias):
                written = form.write()
                if new := [message for message in written or () if message.was_written]:
                    LogEntry.objects.log_actions(writer.pk, new, ADDITION, [{"added": {}}])
                    self._record_copy(request, form)
                return written

        return write(attempt, SmsMessage)

    def _record_copy(self, request: HttpRequest, form: forms.MessageForm) -> None:
        """Add the copy to the history of its original, so that nobody sends it once more."""
        if (pk := form.cleaned_data["copy_of"]) and self.has_copy_permission(request):
            original = catalogue.COPY.eligible(SmsMessage.objects.for_write().filter(pk=pk))
            catalogue.record(catalogue.COPY, original, cast(AbstractBaseUser, request.user))

    def _after_writing(
        self, request: HttpRequest, written: Sequence[SmsMessage], *, now: bool
    ) -> HttpResponse:
        """Report what was written, send it if asked to, and go where the button leads."""
        if form_page.is_popup(request):
            return self.response_add(request, written[0])
        new = sum(message.was_written for message in written)
        self._show_count(request, messages.SUCCESS, CREATED if now else QUEUED, new)
        self._show_count(request, messages.WARNING, CREATED_BEFORE, len(written) - new)
        if now:
            self._send_now(request, written)
        return HttpResponseRedirect(self._next_page(request, written))

    def _send_now(self, request: HttpRequest, written: Sequence[SmsMessage]) -> None:
        """Send as many messages as one request holds. The worker sends the others."""
        pks = [message.pk for message in written]
        pending = catalogue.SEND_NOW.eligible(SmsMessage.objects.for_write().filter(pk__in=pks))
        waiting = pending.count()
        if first := send_now.first_request(pending):
            by = cast(AbstractBaseUser, request.user)
            for level, line in send_now.send(first, waiting=waiting, by=by):
                self.message_user(request, str(line), level)

    def _next_page(self, request: HttpRequest, written: Sequence[SmsMessage]) -> str:
        if "_addanother" in request.POST:
            return self._address("smsmessage_add")
        if not self.has_view_permission(request):
            return reverse("admin:index", current_app=self.admin_site.name)
        if "_send_now" in request.POST and len(written) == 1:
            return self._address("smsmessage_change", written[0].pk)
        return self._address("smsmessage_changelist")
