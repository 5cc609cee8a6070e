"""The one shape of an error: what it is about, and for each fault its code and its message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DataError
from django.http import Http404
from rest_framework.exceptions import AuthenticationFailed, ErrorDetail, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..exceptions import InvalidRows
from ..outbox import HOUR

#: The HTTP code of a request in which nothing else is wrong.
STATUSES = {"conflict": 409, "number_limit": 429}


def fault(code: str, message: object) -> dict[str, str]:
    """One fault: a code for programs, a translated message for people."""
    return {"code": code, "message": str(message)}


def with_codes(data: Any) -> Any:
    """What DRF says of an error, each message with its code beside it, by field or ``detail``."""
    if isinstance(data, ErrorDetail):
        return fault(str(data.code), data)
    if isinstance(data, Mapping):
        return {name: _listed(with_codes(value)) for name, value in data.items()}
    if isinstance(data, Sequence) and not isinstance(data, str):
        return [with_codes(value) for value in data]
    return data


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, Mapping) else value


def refusal(error: InvalidRows, *, many: bool) -> Response:
    """Why nothing was written: 409 or 429 if that is all there is to it, else 400."""
    codes = {one.code for one in error.errors}
    code = STATUSES.get(codes.pop(), 400) if len(codes) == 1 else 400
    headers = {"Retry-After": str(int(HOUR.total_seconds()))} if code == 429 else None
    return Response(_by_index(error) if many else _by_field(error), code, headers=headers)


def _by_field(error: InvalidRows) -> dict[str, list[dict[str, str]]]:
    """The faults of one message."""
    faults: dict[str, list[dict[str, str]]] = {}
    for one in error.errors:
        faults.setdefault(one.field, []).append(fault(one.code, one.message))
    return faults


def _by_index(error: InvalidRows) -> dict[str, Any]:
    """The faults of a list: the first 100, and how many of its messages have one."""
    return {"errors": [vars(one) for one in error.errors], "count": error.count}


class CodedErrors(APIView):
    """A view whose errors are by field or ``detail``, each with its code beside its message."""

    def perform_authentication(self, request: Request) -> None:
        """As DRF; a name that the database can not even look for, with a NUL, is a wrong one."""
        try:
            super().perform_authentication(request)
        except (DataError, ValueError):
            request.authenticators = []  # the browsable page asks again who it is
            raise AuthenticationFailed from None

    def handle_exception(self, exc: Exception) -> Response:
        """As DRF, in that shape; what is not there is told in the reader's language."""
        response = super().handle_exception(NotFound() if isinstance(exc, Http404) else exc)
        response.data = with_codes(response.data)
        return response
