"""Filters of the list and the summary: their query parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import get_error_detail
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from ...choices import ErrorCode, Status
from ...models import has
from ..pagination import MessagePagination
from ..strict_view import refuse

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
        if value and not value.endswith("Z") and not {"+", "-"} & set(value[10:]):
            raise ValidationError(_("Give the time with its zone."), code="naive")
        time = super().to_python(value)
        if time is not None and not 2000 <= time.year <= 2999:  # the extremes overflow in UTC
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return time


class FilterForm(forms.Form):
    """The filters. One that is given needs a value: an empty one would mean every message."""

    status = forms.MultipleChoiceField(choices=Status.choices, required=False)
    tag = forms.CharField(required=False, strip=False)
    source = forms.CharField(required=False, strip=False)
    error_code = forms.ChoiceField(choices=ErrorCode.choices, required=False)
    created_after = TimeField(required=False)
    created_before = TimeField(required=False)
    sent_after = TimeField(required=False)
    sent_before = TimeField(required=False)

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        for name in set(self.fields) & set(data):
            self.fields[name].required = True


LOOKUPS = {
    "status": "status__in",
    "tag": "tag",
    "source": "source",
    "error_code": "error_code",
    "created_after": "created_at__gte",
    "created_before": "created_at__lt",
    "sent_after": "sent_at__gte",
    "sent_before": "sent_at__lt",
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
    form = FilterForm(request.query_params)
    if not form.is_valid():
        faults = ValidationError(form.errors.as_data())
        raise serializers.ValidationError(get_error_detail(faults))
    return {name: value for name, value in form.cleaned_data.items() if value}
