"""Pages of messages, the newest first."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from ..models import SmsMessage


class MessagePagination(CursorPagination):
    """A deep page costs as the first, and a new message moves none."""

    ordering = "-pk"
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000

    def get_page_size(self, request: Request) -> int:
        """As asked for, at most ``max_page_size``; ``serializers.ValidationError`` by name."""
        name = self.page_size_query_param
        if name not in request.query_params:
            return self.page_size
        try:
            size = forms.IntegerField(min_value=1).clean(request.query_params[name])
        except ValidationError as error:
            detail = ErrorDetail(error.messages[0], str(error.error_list[0].code))
            raise serializers.ValidationError({name: [detail]}) from None
        return min(int(size), self.max_page_size)

    def decode_cursor(self, request: Request) -> Any:
        """The cursor; ``NotFound`` for one that was not given out by a page."""
        cursor: Cursor | None = super().decode_cursor(request)
        if cursor is None or cursor.position is None:
            return cursor
        try:
            SmsMessage._meta.pk.run_validators(int(cursor.position))
        except (ValueError, ValidationError):
            raise NotFound(self.invalid_cursor_message) from None
        return cursor
