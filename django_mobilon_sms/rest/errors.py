"""The one shape of an error: what it is about, and for each fault its code and its message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import Http404
from rest_framework.exceptions import ErrorDetail, NotFound
from rest_framework.response import Response
from rest_framework.views import APIView

from ..exceptions import InvalidRows


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


def by_field(error: InvalidRows) -> dict[str, list[dict[str, str]]]:
    """The faults of one message."""
    faults: dict[str, list[dict[str, str]]] = {}
    for one in error.errors:
        faults.setdefault(one.field, []).append(fault(one.code, one.message))
    return faults


def by_index(error: InvalidRows) -> dict[str, Any]:
    """The faults of a list: the first 100, and how many of its messages have one."""
    return {"errors": [vars(one) for one in error.errors], "count": error.count}


class CodedErrors(APIView):
    """A view whose errors are by field or ``detail``, each with its code beside its message."""

    def handle_exception(self, exc: Exception) -> Response:
        """As DRF, in that shape; what is not there is told in the reader's language."""
        response = super().handle_exception(NotFound() if isinstance(exc, Http404) else exc)
        response.data = with_codes(response.data)
        return response
