"""The pages of a mailing: upload a list, look at its preview, confirm it, cancel what is left."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from ...choices import Status
from ...mailings import preview, sending
from ...models import SmsMailing
from ...outbox import database_time, is_past
from .. import history, spreadsheet_files
from ..actions import confirmation
from ..badges import badge
from ..compose import form_page
from ..compose.form_page import Button
from ..database_busy import write
from . import form as mailing_form
from . import samples
from .changelist import MailingList

QUEUED = ngettext_lazy("%(count)s message is queued.", "%(count)s messages are queued.", "count")
CANCELLED = ngettext_lazy(
    "%(count)s message was cancelled.", "%(count)s messages were cancelled.", "count"
)
#: The sentences kept in the history of the mailing.
CONFIRMED, CANCELLED_REST = _("Confirmed it."), _("Cancelled its pending messages.")
CANCEL = ngettext_lazy(
    "Cancel %(count)s pending message", "Cancel %(count)s pending messages", "count"
)
NOT_WAITING = _("This list was already confirmed and its messages are queued, or it has expired.")
NOT_YOURS = _(
    "You cannot confirm this list: somebody else uploaded it, and you may not see its texts. Ask"
    " them, or somebody who may see the texts."
)
NOTHING_TO_CANCEL = _("No pending messages are left to cancel.")


class MailingPages(MailingList):
    """The pages of a mailing. A GET changes nothing."""

    add_form_template = form_page.TEMPLATE
    change_form_template = "admin/mobilon_sms/smsmailing/page.html"

    def get_urls(self) -> list[URLPattern]:
        """Put these pages before the admin's own addresses, which match any path."""
        wrap, name = self.admin_site.admin_view, "mobilon_sms_mailing"
        return [
            path("sample.<slug:kind>", wrap(self.sample_view), name="mobilon_sms_sample"),
            path("<int:pk>/invalid.csv", wrap(self.invalid_rows_view), name=f"{name}_invalid"),
            path("<int:pk>/confirm/", wrap(self.confirm_view), name=f"{name}_confirm"),
            path("<int:pk>/cancel/", wrap(self.cancel_view), name=f"{name}_cancel"),
            *super().get_urls(),
        ]

    # Upload

    @method_decorator(sensitive_post_parameters("text", "source"))
    @sensitive_variables()
    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Store the uploaded list for confirmation, or show the form with its errors."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        corrected = self._corrected(request)
        form = mailing_form.MailingForm(corrected=corrected)
        if request.method == "POST":
            data = form_page.edited(request.POST)
            form = mailing_form.MailingForm(data, request.FILES, corrected=corrected)
            if not form_page.is_preview(data) and form.is_valid():
                return self._save(request, form)
        return form_page.render(
            self,
            request,
            form,
            mailing_form.FIELDSETS,
            title=_("New mailing"),
            buttons=[Button("_save", _("Upload and preview"))],
            form_url=form_url,
            extra_context={"samples": spreadsheet_files.kinds()},
        )

    def _corrected(self, request: HttpRequest) -> SmsMailing | None:
        """Return the mailing to correct, if it is unconfirmed and this person may read it."""
        pk = request.POST.get("corrects", request.GET.get("corrects", ""))
        if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
            return None
        mailing = SmsMailing.objects.for_write().waiting().filter(pk=pk).first()
        return mailing if mailing and self.may_read(request, mailing) else None

    def _save(self, request: HttpRequest, form: mailing_form.MailingForm) -> HttpResponse:
        writer = cast(AbstractBaseUser, request.user)
        mailing = write(partial(form.save, writer), SmsMailing)
        LogEntry.objects.log_actions(writer.pk, [mailing], ADDITION, [{"added": {}}])
        return self._redirect(mailing)

    @method_decorator(require_safe)
    def sample_view(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Return a list to fill in."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if kind not in spreadsheet_files.kinds():
            raise Http404
        return samples.response(kind)

    # One mailing

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the preview of an unconfirmed list, or the statuses of the messages."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        mailing = self.get_object(request, object_id)
        if mailing is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        return self._page(request, mailing, mailing_form.ConfirmForm())

    def _page(
        self, request: HttpRequest, mailing: SmsMailing, form: mailing_form.ConfirmForm
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            **(_status_counts(mailing) if mailing.confirmed_at else _preview(mailing)),
            "title": mailing.name,
            "opts": self.opts,
            "mailing": mailing,
            "media": self.media,
            "form": form,
            "may_read": self.may_read(request, mailing),
            "may_write": self.has_add_permission(request),
            "may_confirm": self.may_confirm(request, mailing),
            "not_yours": NOT_YOURS,
            "may_cancel": self.may_cancel(request),
            "may_see_messages": request.user.has_perm("mobilon_sms.view_smsmessage"),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.change_form_template, context)

    @method_decorator(require_safe)
    def invalid_rows_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Return the rows with errors as CSV: their lines, numbers and reasons."""
        mailing = self._get_or_404(request, pk)
        if not self.may_read(request, mailing):
            raise PermissionDenied
        header = [gettext("Line"), gettext("Number"), gettext("Reason")]
        try:
            # All of them before the answer begins, which could not say that a later row is refused.
            rows = [[row.line, row.typed, row.reason] for row in preview.bad_rows(mailing)]
        except ValidationError:  # as after the confirmation, which forgets the file
            return self._redirect(mailing)
        return spreadsheet_files.csv_response("invalid-rows.csv", chain([header], rows))

    @method_decorator(require_POST)
    def confirm_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write the messages. A list is confirmed only once, however often this is requested."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        mailing, by = self._get_or_404(request, pk), cast(AbstractBaseUser, request.user)
        if not self.may_confirm(request, mailing):
            self.message_user(request, str(NOT_YOURS), messages.ERROR)
            return self._redirect(mailing)
        form = mailing_form.ConfirmForm(request.POST)
        if not form.is_valid():
            return self._page(request, mailing, form)
        form.apply(mailing)
        leave_out = form.cleaned_data["leave_out_recent"]
        try:
            written = write(
                partial(sending.confirm, mailing, by=by, leave_out_recent=leave_out), SmsMailing
            )
        except ValidationError as error:
            return self._not_confirmed(request, mailing, form, error)
        if written is None:
            self.message_user(request, str(NOT_WAITING), messages.WARNING)
        else:
            self._record(request, mailing, QUEUED % {"count": written}, CONFIRMED)
        return self._redirect(mailing)

    def _not_confirmed(
        self,
        request: HttpRequest,
        mailing: SmsMailing,
        form: mailing_form.ConfirmForm,
        error: ValidationError,
    ) -> HttpResponse:
        """Ask for another time if the list's has passed; otherwise say what is wrong."""
        if "send_at" not in getattr(error, "error_dict", {}):
            self.message_user(request, error.messages[0], messages.ERROR)
            return self._redirect(mailing)
        form.add_error("send_at", error.error_dict["send_at"])
        return self._page(request, self._get_or_404(request, mailing.pk), form)

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Cancel the pending messages, once the person has confirmed how many they are."""
        if not self.may_cancel(request):
            raise PermissionDenied
        mailing = self._get_or_404(request, pk)
        if "confirmed" not in request.POST and (question := self._ask_to_cancel(request, mailing)):
            return question
        by = cast(AbstractBaseUser, request.user)
        if count := write(partial(sending.cancel, mailing, by=by), SmsMailing):
            self._record(request, mailing, CANCELLED % {"count": count}, CANCELLED_REST)
        else:
            self.message_user(request, str(NOTHING_TO_CANCEL), messages.INFO)
        return self._redirect(mailing)

    def _ask_to_cancel(self, request: HttpRequest, mailing: SmsMailing) -> HttpResponse | None:
        """Return the page that asks, or ``None`` if there is nothing to cancel."""
        count = sending.messages(mailing).filter(status=Status.PENDING).count()
        if not count:
            return None
        return confirmation.ask(
            self,
            request,
            title=CANCEL % {"count": count},
            button=("_cancel", CANCEL % {"count": count}),
            fields=[("confirmed", "yes")],
            figures=[(_("Messages"), count)],
            lines=[mailing.tag],
            back=self._redirect(mailing).url,
        )

    def _get_or_404(self, request: HttpRequest, pk: int) -> SmsMailing:
        mailing = self.get_object(request, str(pk))
        if mailing is None or not self.has_view_permission(request):
            raise Http404
        return mailing

    def _record(self, request: HttpRequest, mailing: SmsMailing, notice: str, entry: Any) -> None:
        """Report a change to the operator, and add an entry to the history."""
        by = cast(AbstractBaseUser, request.user)
        history.record([mailing], entry, by=by)
        self.message_user(request, notice, messages.SUCCESS)

    def _redirect(self, mailing: SmsMailing) -> HttpResponseRedirect:
        name, site = "admin:mobilon_sms_smsmailing_change", self.admin_site.name
        return HttpResponseRedirect(reverse(name, args=[mailing.pk], current_app=site))


def _preview(mailing: SmsMailing) -> dict[str, Any]:
    try:
        time_passed = mailing.send_at is not None and is_past(mailing.send_at, database_time())
        return {"preview": preview.preview(mailing), "time_passed": time_passed}
    except ValidationError as error:
        return {"unreadable": " ".join(error.messages)}


def _status_counts(mailing: SmsMailing) -> dict[str, Any]:
    by_status = sending.messages(mailing).order_by().values_list("status").annotate(Count("pk"))
    counts = dict(by_status)
    rows = [
        (badge(status, status.label), status, counts[status])
        for status in Status
        if status in counts
    ]
    return {"counts": rows, "pending": counts.get(Status.PENDING, 0)}
