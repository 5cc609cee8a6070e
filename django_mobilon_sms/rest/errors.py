"""The one shape of an error: by field or ``detail``, each fault with its code and message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from math import ceil
from typing import Any

from django.db import DataError
from django.http import Http404
from django.utils.timezone import get_default_timezone
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, ErrorDetail, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..exceptions import InvalidRows
from ..models import day_of
from ..outbox import HOUR, database_time
from .parsing import require_length
from .serializers import ExactSerializer

#: The HTTP status of a request whose faults all have this code; any other is 400.
STATUSES = {"conflict": 409, "number_limit": 429, "daily_budget": 429}


def seconds_to_midnight() -> int:
    """Return the seconds until the day of ``TIME_ZONE`` ends, by the database's clock."""
    now, zone = database_time(), get_default_timezone()
    tomorrow = day_of(now) + timedelta(days=1)
    return ceil((datetime.combine(tomorrow, time.min, zone) - now).total_seconds())


#: ``Retry-After`` of a request whose faults all have this code.
WAITS = {"number_limit": lambda: int(HOUR.total_seconds()), "daily_budget": seconds_to_midnight}


class RowFaultSerializer(ExactSerializer):
    """One fault of a list."""

    index = serializers.IntegerField(help_text="The place in the list, from 0.")
    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class ListFaultsSerializer(ExactSerializer):
    """The faults of a list: the first 100."""

    errors: Any = RowFaultSerializer(many=True)
    count = serializers.IntegerField(help_text="How many objects have a fault.")


def fault(code: str, message: object) -> dict[str, str]:
    """Return one fault: a code for programs, a translated message for people."""
    return {"code": code, "message": str(message)}


def with_codes(data: Any) -> Any:
    """Return DRF's error data with a code beside each message, by field or ``detail``."""
    if isinstance(data, ErrorDetail):
        return fault(str(data.code), data)
    if isinstance(data, Mapping):
        faults = {name: with_codes(value) for name, value in data.items()}
        return {name: [one] if isinstance(one, Mapping) else one for name, one in faults.items()}
    if isinstance(data, Sequence) and not isinstance(data, str):
        return [with_codes(value) for value in data]
    return data


def refusal(error: InvalidRows, *, many: bool) -> Response:
    """Return the answer to a request that wrote nothing, by index for a list, else by field."""
    codes = {one.code for one in error.errors}
    code = codes.pop() if len(codes) == 1 else ""
    headers = {"Retry-After": str(WAITS[code]())} if code in WAITS else None
    status = STATUSES.get(code, 400)
    faults = ListFaultsSerializer(error).data if many else _by_field(error)
    return Response(faults, status, headers=headers)


def _by_field(error: InvalidRows) -> dict[str, list[dict[str, str]]]:
    faults: dict[str, list[dict[str, str]]] = {}
    for one in error.errors:
        faults.setdefault(one.field, []).append(fault(one.code, one.message))
    return faults


class CodedErrors(APIView):
    """A view whose errors all have the shape of ``with_codes()``."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check what DRF checks, and that the body has a length."""
        super().initial(request, *args, **kwargs)
        require_length(request)

    def perform_authentication(self, request: Request) -> None:
        """Authenticate as DRF does, and refuse a name that the database cannot look up (a NUL)."""
        try:
            super().perform_authentication(request)
        except (DataError, ValueError):
            request.authenticators = []  # the browsable page asks again who it is
            raise AuthenticationFailed from None

    def handle_exception(self, exc: Exception) -> Response:
        """Answer as DRF does, with codes; 404 in the reader's language."""
        response = super().handle_exception(NotFound() if isinstance(exc, Http404) else exc)
        response.data = with_codes(response.data)
        return response
