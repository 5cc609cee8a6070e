"""Pages of rows, in an order that an index serves."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound
from rest_framework.fields import get_error_detail
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from ..conf import to_utc

#: The order of writing, the newest first.
NEWEST = "-pk"


class PageGone(APIException):
    """The row that a cursor names has been deleted."""

    status_code = status.HTTP_410_GONE
    default_detail = _("What this page comes after has been deleted. Begin at the first page.")
    default_code = "page_gone"


class RowPagination(CursorPagination):
    """Pages after a cursor: a deep page costs as much as the first, a new row moves none.

    A cursor names the row that its page comes after, with its time if the order is by time. DRF's
    cursor names a time alone and counts the rows of that time; but the messages of a list all have
    the same time.
    """

    page_size = 100
    page_size_query_param = "page_size"
    page_size_query_description = "How many a page holds: 100 unless given, at most 1,000."
    max_page_size = 1000
    page: list[Any]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return a page. Raise ``ValidationError``, or ``NotFound`` or ``PageGone`` by cursor."""
        self.request, self.base_url = request, request.build_absolute_uri()
        size = self.get_page_size(request)
        order = self._read_order(request, view)
        self.field = order.removeprefix("-")
        position, is_reversed = self._read_cursor(request)
        descending = order.startswith("-") != is_reversed
        if position is not None:
            after = self._after(position, "lt" if descending else "gt", view)
            queryset = queryset.filter(after)
        rows = list(_order(queryset, self.field, "-" if descending else "")[: size + 1])
        has_more, self.page = len(rows) > size, rows[:size]
        self.has_previous, self.has_next = position is not None, has_more
        if is_reversed:
            self.page.reverse()
            self.has_previous, self.has_next = has_more, position is not None
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

    def name_of(self, row: Any) -> str:
        """Return the name by which a cursor names the row."""
        return str(row.pk)

    def key_of(self, name: str, view: Any) -> int:
        """Return the primary key of the row. Raise ``ValueError`` for what is no name."""
        key = int(name)
        view.queryset.model._meta.pk.run_validators(key)
        return key

    def _read_order(self, request: Request, view: Any) -> str:
        return NEWEST

    def _read_cursor(self, request: Request) -> tuple[str | None, bool]:
        """Return the position that the cursor names, if one is given, and whether to go back."""
        if _read(request, self.cursor_query_param, forms.CharField(strip=False)) is None:
            return None, False
        cursor = self.decode_cursor(request)
        if cursor is None or cursor.position is None:
            raise NotFound(self.invalid_cursor_message)
        return str(cursor.position), cursor.reverse

    def _link(self, row: Any, *, reverse: bool) -> str:
        time = "" if self.field == "pk" else f"{getattr(row, self.field).isoformat()},"
        position: Any = f"{time}{self.name_of(row)}"  # a string, although the stubs say otherwise
        return self.encode_cursor(Cursor(offset=0, reverse=reverse, position=position))

    def _after(self, position: str, lookup: str, view: Any) -> Q:
        """Return the condition of the rows after a cursor. Raise ``NotFound`` for a forged one."""
        time, _comma, name = position.rpartition(",")
        try:
            value = _parse_time(time) if self.field != "pk" else None
            if self.field == "pk" and time:
                raise ValueError(time)
            beyond = Q((f"pk__{lookup}", self.key_of(name, view)))
        except (ValueError, ValidationError):
            raise NotFound(self.invalid_cursor_message) from None
        if value is None:
            return beyond
        # The index serves the first condition; the others concern only the rows of that moment.
        later = Q((f"{self.field}__{lookup}", value))
        return Q((f"{self.field}__{lookup}e", value)) & (later | beyond)


class MessagePagination(RowPagination):
    """Pages of messages. A cursor names a guid, because keys would show how many there are."""

    ordering_query_param = "ordering"

    def name_of(self, row: Any) -> str:
        """Return the guid."""
        return str(row.guid)

    def key_of(self, name: str, view: Any) -> int:
        """Return the primary key of the message. Raise ``PageGone`` if the user sees no such."""
        found = view.get_queryset().filter(guid=UUID(name)).order_by()
        key: int | None = found.values_list("pk", flat=True).first()
        if key is None:
            raise PageGone
        return key

    def _read_order(self, request: Request, view: Any) -> str:
        """Return the order asked for, one of the view's ``ordering_fields``, or ``NEWEST``."""
        fields = view.ordering_fields
        choices = [(f"{sign}{name}", "") for name in fields for sign in ("", "-")]
        field = forms.ChoiceField(choices=choices)
        return _read(request, self.ordering_query_param, field) or NEWEST


def _order(queryset: QuerySet[Any, Any], field: str, sign: str) -> QuerySet[Any, Any]:
    if field == "pk":
        return queryset.order_by(f"{sign}pk")
    # Leave out NULL, which each database sorts to another end.
    return queryset.filter(**{f"{field}__isnull": False}).order_by(f"{sign}{field}", f"{sign}pk")


def _parse_time(value: str) -> datetime:
    time = parse_datetime(value)
    if time is None or time.utcoffset() is None:
        raise ValueError(value)
    return to_utc(time)


def _read(request: Request, name: str, field: forms.Field) -> Any:
    """Return the value of a query parameter, ``None`` if it is not given."""
    if name not in request.query_params:
        return None
    try:
        return field.clean(request.query_params[name])
    except ValidationError as error:
        raise serializers.ValidationError({name: get_error_detail(error)}) from None
