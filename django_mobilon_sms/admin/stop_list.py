"""The stop list in the admin: add numbers by hand or from a file, find them, remove them."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import actions
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.admin.widgets import AdminTextareaWidget
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from ..models import StoppedNumber
from ..outbox import clean_note, read_numbers, stop, stopped_numbers
from ..phone_numbers import ANY_NUMBER, mask_number, normalize_number, readable_number
from .badges import short_moment
from .bounded_paginator import BoundedList
from .database_busy import write
from .non_atomic import NonAtomic

if TYPE_CHECKING:
    StopModelForm = forms.ModelForm[StoppedNumber]
else:
    StopModelForm = forms.ModelForm

#: The largest file, in bytes: about 60,000 numbers.
MAX_FILE = 1_000_000

#: Numbers that a notice names.
MAX_NAMED = 10

#: New numbers of a form that get an entry in the history. The row says who added it, too.
MAX_ENTRIES = 500

ADDED = ngettext_lazy(
    "%(count)d number was added to the stop list.",
    "%(count)d numbers were added to the stop list.",
    "count",
)
ALREADY_ON_IT = ngettext_lazy(
    "%(count)d number was already on the list and keeps its note: %(numbers)s",
    "%(count)d numbers were already on the list and keep their notes: %(numbers)s",
    "count",
)
TAKEN_OFF = ngettext_lazy(
    "%(count)d number was taken off the stop list.",
    "%(count)d numbers were taken off the stop list.",
    "count",
)
CANCELLED = ngettext_lazy(
    "%(count)d pending message was cancelled.",
    "%(count)d pending messages were cancelled.",
    "count",
)


class StopForm(StopModelForm):
    """Numbers, one per line, typed or in a file. All are added, or none."""

    typed = forms.CharField(
        label=_("Numbers"),
        required=False,
        widget=AdminTextareaWidget,
        help_text=_("One number per line, in any usual format."),
    )
    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("Text or CSV in UTF-8, with the number in the first column."),
    )

    class Meta:
        model = StoppedNumber
        fields = ("note",)

    @property
    def numbers(self) -> list[str]:
        """All numbers of a valid form, in E.164."""
        return [*self.cleaned_data["typed"], *self.cleaned_data["file"]]

    @sensitive_variables()
    def clean_typed(self) -> list[str]:
        """Return the typed numbers. Each line without one is an error."""
        return read_numbers(self.cleaned_data["typed"])

    @sensitive_variables()
    def clean_file(self) -> list[str]:
        """Return the numbers of the file. Each line without one is an error."""
        file = self.cleaned_data["file"]
        if file is None:
            return []
        if file.size > MAX_FILE:
            message = _("The file is larger than 1 MB. Split it.")
            raise ValidationError(message, code="too_large")
        try:
            return read_numbers(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ValidationError(_("Save the file in UTF-8."), code="encoding") from None

    def clean_note(self) -> str:
        """Return the note."""
        return clean_note(self.cleaned_data["note"])

    def clean(self) -> dict[str, Any]:
        """Raise ``ValidationError`` if there is no number at all."""
        if not self.errors and not self.numbers:
            raise ValidationError(_("Enter a number, or choose a file."), code="empty")
        return self.cleaned_data


@admin.register(StoppedNumber)
class StopListAdmin(NonAtomic, BoundedList):
    """Numbers are added and removed, never changed."""

    actions = ("delete_selected",)
    form = StopForm
    fields = ("typed", "file", "note")
    list_display = ("readable", "note", "created_by", "added")
    list_select_related = ("created_by",)
    ordering = ("-pk",)
    search_fields = ("number",)
    search_help_text = _("Enter the whole number, in any usual format.")
    sortable_by = ()

    class Media:
        css = {"all": ("mobilon_sms/admin.css",)}

    def has_change_permission(self, request: HttpRequest, obj: StoppedNumber | None = None) -> bool:
        """Allow nobody to change a number."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, with the name of its button."""
        context = {"add_label": _("Add numbers")} | (extra_context or {})
        return super().changelist_view(request, context)

    @method_decorator(sensitive_post_parameters("typed", "note"))
    @sensitive_variables()
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form under its own name."""
        context = {"title": _("Add numbers")} | (extra_context or {})
        return super().add_view(request, form_url, context)

    def get_fields(self, request: HttpRequest, obj: StoppedNumber | None = None) -> Any:
        """Return the fields of the form, or the columns of an existing row."""
        return self.fields if obj is None else self.list_display

    @admin.display(description=_("number"))
    def readable(self, stopped: StoppedNumber) -> str:
        """Return the number in groups."""
        return readable_number(stopped.number)

    @admin.display(description=_("created at"))
    def added(self, stopped: StoppedNumber) -> Any:
        """Return the time when the number was added."""
        return short_moment(stopped.created_at)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StoppedNumber], search_term: str
    ) -> tuple[QuerySet[StoppedNumber], bool]:
        """Find the whole number, because a part of one would scan the whole list."""
        if not search_term:
            return queryset, False
        try:
            number = normalize_number(search_term, allowed=ANY_NUMBER)
        except ValidationError:
            return queryset.none(), False
        return queryset.filter(number=number), False

    def save_model(self, request: HttpRequest, obj: StoppedNumber, form: Any, change: bool) -> None:
        """Add all numbers, cancel their pending messages, and report both."""
        by = cast("AbstractBaseUser", request.user)
        known = stopped_numbers(form.numbers)
        work = partial(stop, form.numbers, note=form.cleaned_data["note"], by=by)
        added, cancelled = write(work, StoppedNumber)
        level = messages.SUCCESS if added else messages.INFO
        self.message_user(request, str(ADDED % {"count": added}), level)
        if known:
            line = ALREADY_ON_IT % {"count": len(known), "numbers": _named(known)}
            self.message_user(request, str(line), messages.INFO)
        if cancelled:
            self.message_user(request, str(CANCELLED % {"count": cancelled}), messages.WARNING)
        new = [number for number in form.numbers if number not in known][:MAX_ENTRIES]
        rows = StoppedNumber.objects.for_write().filter(number__in=new)
        LogEntry.objects.log_actions(by.pk, rows, ADDITION, [{"added": {}}])

    def log_addition(self, request: HttpRequest, obj: StoppedNumber, message: Any) -> Any:
        """Add no entry to the history: ``save_model()`` has added one for each new number."""

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show Django's own page, which removes a number."""
        view = partial(super().delete_view, request, object_id, extra_context)
        return write(view, StoppedNumber)

    @admin.action(permissions=["delete"], description=_("Take the selected numbers off the list"))
    def delete_selected(
        self, request: HttpRequest, queryset: QuerySet[StoppedNumber]
    ) -> HttpResponse | None:
        """Ask by Django's own page, then delete. Django's words name the list, not numbers."""
        if "post" not in request.POST:
            page = actions.delete_selected(self, request, queryset)
            page.context_data["objects_name"] = _("numbers")  # type: ignore[union-attr,index]
            return page
        count = len(queryset)
        self.log_deletions(request, queryset)
        self.delete_queryset(request, queryset)
        self.message_user(request, str(TAKEN_OFF % {"count": count}), messages.SUCCESS)
        return None

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[StoppedNumber], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Run the action and its entries of the history in one transaction."""
        alias = router.db_for_write(StoppedNumber)
        act = transaction.atomic(using=alias)(super().response_action)
        return write(partial(act, request, queryset, *args, **kwargs), StoppedNumber)

    def response_add(
        self, request: HttpRequest, obj: StoppedNumber, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Go to the list, or to the index without the permission to see the list."""
        may_see = self.has_view_permission(request)
        page = "admin:mobilon_sms_stoppednumber_changelist" if may_see else "admin:index"
        return HttpResponseRedirect(reverse(page, current_app=self.admin_site.name))


def _named(numbers: Collection[str]) -> str:
    """Return the first of these numbers, masked, because a notice is kept in a cookie."""
    named = ", ".join(map(mask_number, sorted(numbers)[:MAX_NAMED]))
    return f"{named} …" if len(numbers) > MAX_NAMED else named
