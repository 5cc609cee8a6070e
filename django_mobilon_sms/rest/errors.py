"""The one shape of an error: a problem (RFC 9457) with a stable code, and its faults by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from http.client import responses
from math import ceil
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, UnreadablePostError
from django.utils.timezone import get_default_timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status
from rest_framework.exceptions import APIException

from ..exceptions import InvalidRows
from ..models import PASSING, day_of
from ..outbox import HOUR, database_time

#: The media type of a problem.
MEDIA_TYPE = "application/problem+json"
#: With the code after it, the ``type`` of a problem. It names the code and is not an address.
TYPE = "urn:problem-type:mobilon-sms:"
#: The field of a fault that concerns the whole body or the whole message.
WHOLE = "non_field_errors"


class Faulty(APIException):
    """The request has faults. Nothing was changed."""

    status_code: int = status.HTTP_400_BAD_REQUEST
    default_detail = _("The request has errors. Nothing was changed.")
    default_code = "validation_error"

    def __init__(self, faults: Sequence[Mapping[str, Any]], **members: Any) -> None:
        """Take the faults, and further members of the problem. A single fault is its detail."""
        super().__init__(faults[0]["message"] if len(faults) == 1 else None)
        self.members = {"errors": list(faults), **members}


class Conflict(Faulty):
    """A guid or an ``Idempotency-Key`` belongs to other content."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class NumberLimit(Faulty):
    """A number got as many messages as it may get in an hour."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "number_limit"
    wait = HOUR.total_seconds()


class DailyBudgetUsedUp(Faulty):
    """The rest of the client's daily budget does not hold the messages."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "daily_budget"

    @property
    def wait(self) -> int:
        """Return the seconds until the budget is whole again."""
        return seconds_to_midnight()


class Blocked(Faulty):
    """The status of the message does not allow the action."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "state"

    def __init__(self, message: str, current: Mapping[str, Any]) -> None:
        super().__init__([fault(WHOLE, self.default_code, message)], current=current)


class Unavailable(APIException):
    """The database cannot be used at the moment."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _(
        "The database cannot be used at the moment. Repeat the request later, with the same guid"
        " or Idempotency-Key."
    )
    default_code = "unavailable"
    wait = 5  # seconds


class ServerError(APIException):
    """The program has failed."""

    default_detail = _("The server has failed. Its log has the reason, under the request_id.")
    default_code = "server_error"


#: The problem of an exception that is no ``APIException``. Any other is a ``ServerError``.
TRANSLATED: tuple[tuple[tuple[type[Exception], ...], type[APIException]], ...] = (
    ((Http404,), exceptions.NotFound),
    ((PermissionDenied,), exceptions.PermissionDenied),
    ((SuspiciousOperation, UnreadablePostError), exceptions.ParseError),
    (PASSING, Unavailable),
)

#: The refusal of rows whose faults all have the same code; any other is ``Faulty``.
REFUSALS = {kind.default_code: kind for kind in (Conflict, NumberLimit, DailyBudgetUsedUp)}


def fault(field: str, code: str, message: object, **place: Any) -> dict[str, Any]:
    """Return one fault: its place, a code for programs, a translated message for people."""
    return {**place, "field": field, "code": code, "message": str(message)}


def refusal(error: InvalidRows, *, many: bool) -> Faulty:
    """Return the error of a request that wrote nothing; with indexes and a count for a list."""
    faults = [
        fault(one.field, one.code, one.message, **({"index": one.index} if many else {}))
        for one in error.errors
    ]
    codes = {one.code for one in error.errors}
    kind = REFUSALS.get(codes.pop(), Faulty) if len(codes) == 1 else Faulty
    return kind(faults, **({"count": error.count} if many else {}))


def seconds_to_midnight() -> int:
    """Return the seconds until the day of ``TIME_ZONE`` ends, by the database's clock."""
    now, zone = database_time(), get_default_timezone()
    tomorrow = day_of(now) + timedelta(days=1)
    return ceil((datetime.combine(tomorrow, time.min, zone) - now).total_seconds())


def translate(error: Exception) -> APIException:
    """Return the error of REST that answers an exception."""
    if isinstance(error, exceptions.ValidationError):
        return Faulty(list(_faults(error.detail)))
    if isinstance(error, APIException):
        return error
    for kinds, problem_of in TRANSLATED:
        if isinstance(error, kinds):
            return problem_of()
    return ServerError()


def problem(error: APIException, *, request_id: str) -> dict[str, Any]:
    """Return the body that answers an error."""
    first = next(_faults(error.detail), fault(WHOLE, error.default_code, error.default_detail))
    return {
        "type": f"{TYPE}{first['code']}",
        "title": responses.get(error.status_code, ""),
        "status": error.status_code,
        "detail": first["message"],
        "code": first["code"],
        **getattr(error, "members", {"errors": []}),
        "request_id": request_id,
    }


def _faults(detail: Any, field: str = WHOLE) -> Iterator[dict[str, Any]]:
    """Return the faults in DRF's error data, which may be nested in any way."""
    if isinstance(detail, Mapping):
        for name, value in detail.items():
            yield from _faults(value, str(name))
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        for value in detail:
            yield from _faults(value, field)
    else:
        yield fault(field, str(getattr(detail, "code", "invalid")), detail)
