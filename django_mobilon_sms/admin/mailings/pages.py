"""Sending to a list: upload, preview, confirm; later what became of it, and its cancelling."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import router
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from ...choices import Status
from ...mailings import preview, sending
from ...models import SmsMailing, retry_on_lock
from ...segments import plain_forms
from .. import spreadsheet_files
from ..actions.catalogue import PATIENCE
from ..badges import badge
from ..compose import form_page, segment_counter
from ..compose.form_page import Button
from . import form as mailing_form
from . import samples
from .changelist import MailingList

CONFIRMED = ngettext_lazy(
    "%(count)s message was written and waits for the worker.",
    "%(count)s messages were written and wait for the worker.",
    "count",
)


CANCELLED = ngettext_lazy(
    "%(count)s message was cancelled.", "%(count)s messages were cancelled.", "count"
)


LATE = _("This list was confirmed or forgotten before. Nothing was written now.")


NOTHING = _("Nothing of it waits any more.")


class MailingPages(MailingList):
    """Every step by POST; looking changes nothing."""

    add_form_template = form_page.TEMPLATE
    change_form_template = "admin/mobilon_sms/smsmailing/page.html"

    def get_urls(self) -> list[URLPattern]:
        """The steps' own addresses before the admin's, which take any path."""
        wrap = self.admin_site.admin_view
        return [
            path("sample.<slug:kind>", wrap(self.sample_view), name="mobilon_sms_sample"),
            path("<int:pk>/bad.csv", wrap(self.bad_view), name="mobilon_sms_mailing_bad"),
            path("<int:pk>/confirm/", wrap(self.confirm_view), name="mobilon_sms_mailing_confirm"),
            path("<int:pk>/cancel/", wrap(self.cancel_view), name="mobilon_sms_mailing_cancel"),
            *super().get_urls(),
        ]

    # Upload

    @method_decorator(sensitive_post_parameters("text", "source"))
    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Take a list, which then waits to be confirmed, or show what is wrong with it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        earlier = self._earlier(request)
        if request.method != "POST":
            form = mailing_form.MailingForm(earlier=earlier)
            return self._form_page(request, form, form_url)
        looking = "_check" in request.POST or "_plain" in request.POST
        data = request.POST.copy()
        if "_plain" in data:
            data["text"] = plain_forms(str(data.get("text", "")))
        form = mailing_form.MailingForm(data, request.FILES, earlier=earlier)
        if looking or not form.is_valid():
            return self._form_page(request, form, form_url)
        by = cast(AbstractBaseUser, request.user)
        alias = router.db_for_write(SmsMailing)
        mailing = retry_on_lock(partial(form.save, by), using=alias, seconds=PATIENCE)
        LogEntry.objects.log_actions(by.pk, [mailing], ADDITION, [{"added": {}}])
        return self._to(mailing)

    def _earlier(self, request: HttpRequest) -> SmsMailing | None:
        """The list that is corrected, if it still waits and this person may read it."""
        named = request.POST.get("earlier", request.GET.get("earlier", ""))
        if not (named.isascii() and named.isdigit() and len(named) < 19):
            return None
        found = SmsMailing.objects.for_write().waiting().filter(pk=named).first()
        return found if found and self.may_read(request, found) else None

    def _form_page(
        self, request: HttpRequest, form: mailing_form.MailingForm, form_url: str
    ) -> HttpResponse:
        shown = form_page.context(
            self,
            request,
            form,
            mailing_form.FIELDSETS,
            title=_("Send to a list"),
            buttons=[Button("_save", _("Upload and look"))],
        )
        text = str(form["text"].value() or "")
        own = {"counter": segment_counter.panel(text), "samples": spreadsheet_files.kinds()}
        return self.render_change_form(request, shown | own, add=True, form_url=form_url)

    @method_decorator(require_safe)
    def sample_view(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """A list to begin with."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if kind not in spreadsheet_files.kinds():
            raise Http404
        return samples.response(kind)

    # One list

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """What would be written of it; or what became of what was."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        mailing = self.get_object(request, object_id)
        if mailing is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        context = self._waiting(mailing) if mailing.confirmed_at is None else _counted(mailing)
        context |= {
            **self.admin_site.each_context(request),
            "title": mailing.name,
            "opts": self.opts,
            "mailing": mailing,
            "media": self.media,
            "may_read": self.may_read(request, mailing),
            "may_confirm": self.has_add_permission(request),
            "may_cancel": self.may_cancel(request),
            "may_see_messages": request.user.has_perm("mobilon_sms.view_smsmessage"),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.change_form_template, context)

    def _waiting(self, mailing: SmsMailing) -> dict[str, Any]:
        try:
            return {"preview": preview.preview(mailing)}
        except ValidationError as error:
            return {"unreadable": " ".join(error.messages)}

    @method_decorator(require_safe)
    def bad_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The rows that nothing can be written of, with their lines and reasons, as CSV."""
        mailing = self._found(request, pk)
        if not self.may_read(request, mailing):
            raise PermissionDenied
        header = [gettext("Line"), gettext("Number"), gettext("Reason")]
        rows = ([bad.line, bad.typed, bad.reason] for bad in preview.bad_rows(mailing))
        return spreadsheet_files.csv_response("bad-rows.csv", chain([header], rows))

    @method_decorator(require_POST)
    def confirm_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write its messages, once, however often and wherever this is asked for."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        mailing, by = self._found(request, pk), cast(AbstractBaseUser, request.user)
        leave_out = "leave_out_recent" in request.POST
        attempt = partial(sending.confirm, mailing, by=by, leave_out_recent=leave_out)
        alias = router.db_for_write(SmsMailing)
        try:
            written = retry_on_lock(attempt, using=alias, seconds=PATIENCE)
        except ValidationError as error:
            self.message_user(request, error.messages[0], messages.ERROR)
            return self._to(mailing)
        if written is None:
            self.message_user(request, str(LATE), messages.WARNING)
            return self._to(mailing)
        line = str(CONFIRMED % {"count": written})
        LogEntry.objects.log_actions(by.pk, [mailing], CHANGE, line)
        self.message_user(request, line, messages.SUCCESS)
        return self._to(mailing)

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take back what still waits of it."""
        if not self.may_cancel(request):
            raise PermissionDenied
        mailing, by = self._found(request, pk), cast(AbstractBaseUser, request.user)
        alias = router.db_for_write(SmsMailing)
        count = retry_on_lock(partial(sending.cancel, mailing), using=alias, seconds=PATIENCE)
        if count:
            line = str(CANCELLED % {"count": count})
            LogEntry.objects.log_actions(by.pk, [mailing], CHANGE, line)
            self.message_user(request, line, messages.SUCCESS)
        else:
            self.message_user(request, str(NOTHING), messages.INFO)
        return self._to(mailing)

    def _found(self, request: HttpRequest, pk: int) -> SmsMailing:
        mailing = self.get_object(request, str(pk))
        if mailing is None or not self.has_view_permission(request):
            raise Http404
        return mailing

    def _to(self, mailing: SmsMailing) -> HttpResponse:
        name, site = "admin:mobilon_sms_smsmailing_change", self.admin_site.name
        return HttpResponseRedirect(reverse(name, args=[mailing.pk], current_app=site))


def _counted(mailing: SmsMailing) -> dict[str, Any]:
    """How many of its messages are where."""
    by_status = sending.messages(mailing).order_by().values_list("status").annotate(Count("pk"))
    counts = dict(by_status)
    shown = [(badge(each, each.label), each, counts[each]) for each in Status if each in counts]
    return {"counts": shown, "waiting": counts.get(Status.PENDING, 0)}
