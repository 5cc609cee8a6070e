"""The stop list in the admin: see it, add numbers by hand or from a file, take some off it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from ..models import StoppedNumber, retry_on_lock
from ..outbox import Stopped, read_numbers, stop
from ..phone_numbers import ANY_NUMBER, normalize_number
from .actions.catalogue import PATIENCE
from .bounded_paginator import BoundedPaginator

if TYPE_CHECKING:
    StopModelForm = forms.ModelForm[StoppedNumber]
    StopModelAdmin = admin.ModelAdmin[StoppedNumber]
else:
    StopModelForm = forms.ModelForm
    StopModelAdmin = admin.ModelAdmin

#: A file's largest size, in bytes: some 60,000 numbers.
MAX_FILE = 1_000_000


class StopForm(StopModelForm):
    """Numbers, one a line, typed or in a file. All are added, or none."""

    typed = forms.CharField(
        label=_("Numbers"),
        required=False,
        widget=AdminTextareaWidget,
        help_text=_("One a line, as people write them."),
    )
    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("Text or CSV in UTF-8, with the number in the first column."),
    )

    #: What both hold together, in E.164.
    numbers: list[str]

    class Meta:
        model = StoppedNumber
        fields = ("note",)

    @sensitive_variables()
    def clean_typed(self) -> str:
        """What was typed; each line without a number is told."""
        self.numbers = read_numbers(self.cleaned_data["typed"])
        return ""

    @sensitive_variables()
    def clean_file(self) -> None:
        """What the file holds; each line without a number is told."""
        file = self.cleaned_data["file"]
        if file is None:
            return
        if file.size > MAX_FILE:
            text = _("The file is larger than 1 MB. Split it.")
            raise ValidationError(text, code="too_large")
        try:
            content = file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValidationError(_("Save the file in UTF-8."), code="encoding") from None
        self.numbers = [*getattr(self, "numbers", []), *read_numbers(content)]

    def clean(self) -> dict[str, Any]:
        """At least one number; ``ValidationError`` without."""
        if not self.errors and not self.numbers:
            raise ValidationError(_("Type a number, or choose a file."), code="empty")
        return self.cleaned_data


@admin.register(StoppedNumber)
class StopListAdmin(StopModelAdmin):
    """A number is added or taken off; there is nothing to change about it."""

    form = StopForm
    fields = ("typed", "file", "note")
    list_display = ("number", "note", "created_by", "created_at")
    list_select_related = ("created_by",)
    ordering = ("-pk",)
    paginator = BoundedPaginator
    search_fields = ("number",)
    search_help_text = _("The whole number, as people write it.")
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    view_on_site = False

    def has_change_permission(self, request: HttpRequest, obj: StoppedNumber | None = None) -> bool:
        """Nobody changes a number."""
        return False

    def get_fields(self, request: HttpRequest, obj: StoppedNumber | None = None) -> Any:
        """The form's own to add, the row's own to read."""
        return self.fields if obj is None else self.list_display

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StoppedNumber], search_term: str
    ) -> tuple[QuerySet[StoppedNumber], bool]:
        """By the whole number: a part of it would read the whole list."""
        if not search_term:
            return queryset, False
        try:
            number = normalize_number(search_term, allowed=ANY_NUMBER)
        except ValidationError:
            return queryset.none(), False
        return queryset.filter(number=number), False

    def save_model(self, request: HttpRequest, obj: StoppedNumber, form: Any, change: bool) -> None:
        """Add all numbers, and cancel what waits for them."""
        by = cast("AbstractBaseUser", request.user)
        work = partial(stop, form.numbers, note=form.cleaned_data["note"], by=by)
        alias = router.db_for_write(StoppedNumber)
        self._tell(request, retry_on_lock(work, using=alias, seconds=PATIENCE))
        first = StoppedNumber.objects.for_write().get(number=form.numbers[0])
        obj.pk, obj.number = first.pk, first.number

    def response_add(
        self, request: HttpRequest, obj: StoppedNumber, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Back to the list, or to the index for those who may not see it."""
        may_see = self.has_view_permission(request)
        page = "admin:mobilon_sms_stoppednumber_changelist" if may_see else "admin:index"
        return HttpResponseRedirect(reverse(page, current_app=self.admin_site.name))

    def _tell(self, request: HttpRequest, stopped: Stopped) -> None:
        added = ngettext(
            "%(count)d number was added to the stop list.",
            "%(count)d numbers were added to the stop list.",
            stopped.added,
        )
        cancelled = ngettext(
            "%(count)d pending message was cancelled.",
            "%(count)d pending messages were cancelled.",
            stopped.cancelled,
        )
        level = messages.SUCCESS if stopped.added else messages.INFO
        self.message_user(request, added % {"count": stopped.added}, level)
        if stopped.cancelled:
            self.message_user(request, cancelled % {"count": stopped.cancelled}, messages.WARNING)
