"""Pages of messages, in an order that an index has."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from ..models import SmsMessage

#: How the newest written comes first.
NEWEST = "-pk"


class MessagePagination(CursorPagination):
    """A deep page costs as the first, and a new message moves none.

    A cursor is the place of a row: its key, after its time where that is the order. DRF's own
    counts rows of the same time, and a list of messages is written at one moment.
    """

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000
    ordering_query_param = "ordering"
    page: list[Any]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """A page; ``serializers.ValidationError`` by parameter, ``NotFound`` for the cursor."""
        self.request, self.base_url = request, request.build_absolute_uri()
        self.size = self.get_page_size(request)
        order = self.asked_order(request, view)
        self.field = order.removeprefix("-")
        self.cursor = self.decode_cursor(request)
        position = self.cursor and self.cursor.position
        back = bool(self.cursor and self.cursor.reverse)
        down = order.startswith("-") != back
        if position is not None:
            queryset = queryset.filter(self._after(str(position), "lt" if down else "gt"))
        rows = list(_ordered(queryset, self.field, "-" if down else "")[: self.size + 1])
        more, self.page = len(rows) > self.size, rows[: self.size]
        if back:
            self.page.reverse()
        came = position is not None
        self.has_next, self.has_previous = (came, more) if back else (more, came)
        self.display_page_controls = self.has_next or self.has_previous
        return self.page

    def asked_order(self, request: Request, view: Any) -> str:
        """One of the view's ``ordering_fields``, or the newest first."""
        name = self.ordering_query_param
        allowed = getattr(view, "ordering_fields", ())
        if not allowed or name not in request.query_params:
            return NEWEST
        choices = [(f"{sign}{field}", "") for field in allowed for sign in ("", "-")]
        try:
            return str(forms.ChoiceField(choices=choices).clean(request.query_params[name]))
        except ValidationError as error:
            raise _refusal(name, error) from None

    def get_page_size(self, request: Request) -> int:
        """As asked for, at most ``max_page_size``; ``serializers.ValidationError`` by name."""
        name = self.page_size_query_param
        if name not in request.query_params:
            return self.page_size
        try:
            size = forms.IntegerField(min_value=1).clean(request.query_params[name])
        except ValidationError as error:
            raise _refusal(name, error) from None
        return min(int(size), self.max_page_size)

    def get_next_link(self) -> str | None:
        """The address of the page after this."""
        return self._link(-1, reverse=False) if self.has_next and self.page else None

    def get_previous_link(self) -> str | None:
        """The address of the page before this."""
        return self._link(0, reverse=True) if self.has_previous and self.page else None

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """How OpenAPI describes a page."""
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "properties": {
                "next": {**link, "description": "The page after this, if there is one."},
                "previous": {**link, "description": "The page before this, if there is one."},
                "results": schema,
            },
            "required": ["next", "previous", "results"],
        }

    def _link(self, place: int, *, reverse: bool) -> str:
        row = self.page[place]
        time = "" if self.field == "pk" else f"{getattr(row, self.field).isoformat()},"
        position: Any = f"{time}{row.pk}"  # a text, other than the stubs say
        return self.encode_cursor(Cursor(offset=0, reverse=reverse, position=position))

    def _after(self, position: str, lookup: str) -> Q:
        """What comes after this place; ``NotFound`` for one that no page gave out."""
        time, _comma, key = position.rpartition(",")
        try:
            SmsMessage._meta.pk.run_validators(int(key))
            beyond = Q((f"pk__{lookup}", int(key)))
            if self.field == "pk" and not time:
                return beyond
            value = _time(time if self.field != "pk" else "")
        except (ValueError, ValidationError):
            raise NotFound(self.invalid_cursor_message) from None
        # The first condition is of the index; the others of the rows of that moment.
        later = Q((f"{self.field}__{lookup}", value))
        return Q((f"{self.field}__{lookup}e", value)) & (later | beyond)


def _ordered(queryset: QuerySet[Any, Any], field: str, sign: str) -> QuerySet[Any, Any]:
    if field == "pk":
        return queryset.order_by(f"{sign}pk")
    # Each database has another place for what has no time.
    return queryset.filter(**{f"{field}__isnull": False}).order_by(f"{sign}{field}", f"{sign}pk")


def _time(value: str) -> datetime:
    time = parse_datetime(value)
    if time is None or time.utcoffset() is None or not 2000 <= time.year <= 2999:
        raise ValueError(value)
    return time


def _refusal(name: str, error: ValidationError) -> serializers.ValidationError:
    detail = ErrorDetail(error.messages[0], str(error.error_list[0].code))
    return serializers.ValidationError({name: [detail]})
