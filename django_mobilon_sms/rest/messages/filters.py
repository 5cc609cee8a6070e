"""Filters of the list and the summary: their query parameters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from ...choices import ErrorCode, Status
from ...conf import conf, parse_duration, to_utc
from ...models import SmsEvent, has
from ...outbox import database_time
from ..pagination import MessagePagination
from ..strict_view import ParameterForm, refuse

#: Parameters of the list that are not filters.
PAGING = {
    MessagePagination.cursor_query_param,
    MessagePagination.page_size_query_param,
    MessagePagination.ordering_query_param,
}


class TimeField(forms.DateTimeField):
    """An ISO 8601 time with its zone."""

    def to_python(self, value: Any) -> Any:
        """Return the time. Raise ``ValidationError`` for a naive one."""
        value = value and value.strip()
        if value and value[-1] not in "Zz" and not {"+", "-"} & set(value[10:]):
            raise ValidationError(_("Give the time with its zone."), code="naive")
        time = super().to_python(value)
        try:
            return time and to_utc(time)
        except ValueError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None


class FilterForm(ParameterForm):
    """The filters."""

    status = forms.MultipleChoiceField(choices=Status.choices, required=False)
    tag = forms.CharField(required=False, strip=False)
    source = forms.CharField(required=False, strip=False)
    error_code = forms.ChoiceField(choices=ErrorCode.choices, required=False)
    created_after = TimeField(required=False)
    created_before = TimeField(required=False)
    sent_after = TimeField(required=False)
    sent_before = TimeField(required=False)
    changed_after = TimeField(required=False)

    def clean_changed_after(self) -> Any:
        """Return the keys of the messages with an event since then. Raise ``ValidationError``."""
        time = self.cleaned_data["changed_after"]
        if time is None:
            return None
        if conf.EVENTS is None:
            text = _("No events are kept here, so the time of a change is not known.")
            raise ValidationError(text, code="events_off")
        if time < database_time() - parse_duration(conf.EVENTS):
            text = _("Events are kept for %(time)s. Give a later time.")
            raise ValidationError(text, code="too_old", params={"time": conf.EVENTS})
        # Not by >=: on SQLite times are texts, some of milliseconds and some of microseconds.
        before = time - timedelta(microseconds=1)
        return SmsEvent.objects.filter(created_at__gt=before).values("message_id")


LOOKUPS = {
    "status": "status__in",
    "tag": "tag",
    "source": "source",
    "error_code": "error_code",
    "created_after": "created_at__gte",
    "created_before": "created_at__lt",
    "sent_after": "sent_at__gte",
    "sent_before": "sent_at__lt",
    "changed_after": "pk__in",
}


class MessageFilter(BaseFilterBackend):
    """Filter by the query parameters, of which the view knows each: a wrong one is an error."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any, Any], view: Any
    ) -> QuerySet[Any, Any]:
        """Return the messages asked for. Raise ``ValidationError`` by parameter."""
        given = {LOOKUPS[name]: value for name, value in read(request).items()}
        if set(given) == {"source"} and view.action != "search":  # which has a number as well
            text = _("Filter by a status, a time or another parameter as well as by the sender.")
            refuse(given, text, code="too_wide")  # no index serves the sender alone
        for name in {"tag", "error_code"} & set(given):
            queryset = queryset.filter(has(name, given[name]))
        return queryset.filter(**given)


def read(request: Request) -> dict[str, Any]:
    """Return the filters that are given. Raise ``ValidationError`` by parameter."""
    return FilterForm(request.query_params).read()
