"""Pages of messages, in an order that an index serves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.fields import get_error_detail
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from ..models import SmsMessage

#: The order of writing, the newest first.
NEWEST = "-pk"


class MessagePagination(CursorPagination):
    """Pages after a cursor: a deep page costs as much as the first, a new message moves none.

    A cursor names the row that its page comes after: by its primary key, or by its time and its
    primary key. DRF's cursor names a time alone and counts the rows of that time; but the messages
    of a list all have the same time.
    """

    page_size = 100
    page_size_query_param = "page_size"
    page_size_query_description = "How many a page holds: 100 unless given, at most 1,000."
    max_page_size = 1000
    ordering_query_param = "ordering"
    page: list[Any]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return a page. Raise ``ValidationError`` by parameter, ``NotFound`` for the cursor."""
        self.request, self.base_url = request, request.build_absolute_uri()
        size = self.get_page_size(request)
        order = self._read_order(request, view)
        self.field = order.removeprefix("-")
        cursor = self.decode_cursor(request) or Cursor(offset=0, reverse=False, position=None)
        has_cursor = cursor.position is not None
        descending = order.startswith("-") != cursor.reverse
        if has_cursor:
            after = self._after(str(cursor.position), "lt" if descending else "gt")
            queryset = queryset.filter(after)
        rows = list(_order(queryset, self.field, "-" if descending else "")[: size + 1])
        has_more, self.page = len(rows) > size, rows[:size]
        self.has_previous, self.has_next = has_cursor, has_more
        if cursor.reverse:
            self.page.reverse()
            self.has_previous, self.has_next = has_more, has_cursor
        self.display_page_controls = self.has_next or self.has_previous
        return self.page

    def get_page_size(self, request: Request) -> int:
        """Return the size asked for, at most ``max_page_size``. Raise ``ValidationError``."""
        field = forms.IntegerField(min_value=1)
        size = _read(request, self.page_size_query_param, field) or self.page_size
        return min(int(size), self.max_page_size)

    def get_next_link(self) -> str | None:
        """Return the address of the next page."""
        return self._link(self.page[-1], reverse=False) if self.has_next and self.page else None

    def get_previous_link(self) -> str | None:
        """Return the address of the previous page."""
        return self._link(self.page[0], reverse=True) if self.has_previous and self.page else None

    def _read_order(self, request: Request, view: Any) -> str:
        """Return the order asked for, one of the view's ``ordering_fields``, or ``NEWEST``."""
        fields = getattr(view, "ordering_fields", ())
        choices = [(f"{sign}{name}", "") for name in fields for sign in ("", "-")]
        if not choices:
            return NEWEST
        return (
            _read(request, self.ordering_query_param, forms.ChoiceField(choices=choices)) or NEWEST
        )

    def _link(self, row: Any, *, reverse: bool) -> str:
        time = "" if self.field == "pk" else f"{getattr(row, self.field).isoformat()},"
        position: Any = f"{time}{row.pk}"  # a string, although the stubs say otherwise
        return self.encode_cursor(Cursor(offset=0, reverse=reverse, position=position))

    def _after(self, position: str, lookup: str) -> Q:
        """Return the condition of the rows after a cursor. Raise ``NotFound`` for a forged one."""
        time, _comma, key = position.rpartition(",")
        try:
            SmsMessage._meta.pk.run_validators(int(key))
            beyond = Q((f"pk__{lookup}", int(key)))
            if self.field == "pk" and not time:
                return beyond
            value = _parse_time(time if self.field != "pk" else "")
        except (ValueError, ValidationError):
            raise NotFound(self.invalid_cursor_message) from None
        # The index serves the first condition; the others concern only the rows of that moment.
        later = Q((f"{self.field}__{lookup}", value))
        return Q((f"{self.field}__{lookup}e", value)) & (later | beyond)


def _order(queryset: QuerySet[Any, Any], field: str, sign: str) -> QuerySet[Any, Any]:
    if field == "pk":
        return queryset.order_by(f"{sign}pk")
    # Leave out NULL, which each database sorts to another end.
    return queryset.filter(**{f"{field}__isnull": False}).order_by(f"{sign}{field}", f"{sign}pk")


def _parse_time(value: str) -> datetime:
    time = parse_datetime(value)
    if time is None or time.utcoffset() is None or not 2000 <= time.year <= 2999:
        raise ValueError(value)
    return time


def _read(request: Request, name: str, field: forms.Field) -> Any:
    """Return the value of a query parameter, ``None`` if it is not given."""
    if name not in request.query_params:
        return None
    try:
        return field.clean(request.query_params[name])
    except ValidationError as error:
        raise serializers.ValidationError({name: get_error_detail(error)}) from None
