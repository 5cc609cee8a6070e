"""Which messages: the query parameters of the list and the summary."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from ..choices import ErrorCode, Status
from ..phone_numbers import normalize_number
from .pagination import MessagePagination

#: Any number that can be stored can be looked for, also one that is not allowed any more.
ANY_NUMBER = r"\+\d{7,15}"
NOT_FILTERS = {MessagePagination.cursor_query_param, MessagePagination.page_size_query_param}
NOT_FILTERS |= {"format"}


class TimeField(forms.DateTimeField):
    """An ISO 8601 time with its zone."""

    def to_python(self, value: Any) -> Any:
        """The time; ``ValidationError`` for a naive one."""
        zoned = not value or value.endswith("Z") or "+" in value[10:] or "-" in value[10:]
        if not zoned:
            raise ValidationError(_("Give the time with its zone."), code="naive")
        time = super().to_python(value)
        if time is not None and not 2000 <= time.year <= 2999:  # the edges overflow in UTC
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return time


class FilterForm(forms.Form):
    """What can be asked for."""

    status = forms.MultipleChoiceField(choices=Status.choices, required=False)
    number = forms.CharField(required=False)
    tag = forms.CharField(required=False, strip=False)
    source = forms.CharField(required=False, strip=False)
    error_code = forms.ChoiceField(choices=[("", ""), *ErrorCode.choices], required=False)
    created_after = TimeField(required=False)
    created_before = TimeField(required=False)
    sent_after = TimeField(required=False)
    sent_before = TimeField(required=False)

    def clean_number(self) -> str:
        """The number as it is stored."""
        value: str = self.cleaned_data["number"]
        return normalize_number(value, allowed=ANY_NUMBER) if value else ""


LOOKUPS = {
    "status": "status__in",
    "number": "number",
    "tag": "tag",
    "source": "source",
    "error_code": "error_code",
    "created_after": "created_at__gte",
    "created_before": "created_at__lt",
    "sent_after": "sent_at__gte",
    "sent_before": "sent_at__lt",
}


class MessageFilter(BaseFilterBackend):
    """Filters by the query parameters; an unknown or a wrong one is an error, not ignored."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any, Any], view: Any
    ) -> QuerySet[Any, Any]:
        """The messages that are asked for; ``serializers.ValidationError`` by parameter."""
        parameters = request.query_params
        if unknown := set(parameters) - set(LOOKUPS) - NOT_FILTERS:
            message = _("There is no such parameter.")
            raise serializers.ValidationError(
                {name: [message] for name in sorted(unknown)}, code="unknown_parameter"
            )
        form = FilterForm(parameters)
        if not form.is_valid():
            raise serializers.ValidationError(
                {
                    name: [ErrorDetail(one.messages[0], one.code or "invalid") for one in found]
                    for name, found in form.errors.as_data().items()
                }
            )
        given = {LOOKUPS[name]: value for name, value in form.cleaned_data.items() if value}
        return queryset.filter(**given)
