"""The result of a request to a consumer: its answer, or the failure without an answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from ..choices import WebhookError
from ..exceptions import GatewayError

#: Names of failures, by the codes of ``GatewayError``; other codes mean a lost connection.
ERRORS = {
    "connection": WebhookError.CONNECTION,
    "certificate": WebhookError.CERTIFICATE,
    "request": WebhookError.REQUEST,
    "timeout": WebhookError.TIMEOUT,
    "deadline": WebhookError.TIMEOUT,
}


class Answer(NamedTuple):
    """The result of a request; ``error`` is empty if the consumer accepted the event."""

    error: str
    http_code: int | None = None


def answer_of_http(code: int) -> Answer:
    """Return the meaning of an HTTP code."""
    if 200 <= code < 300:
        return Answer("", code)
    if code == HTTPStatus.GONE:
        return Answer(WebhookError.GONE, code)
    return Answer(WebhookError.REDIRECT if 300 <= code < 400 else WebhookError.HTTP_ERROR, code)


def answer_of_error(error: BaseException) -> Answer | None:
    """Return the failure of a request, or ``None`` if its lease was too short to begin it."""
    if not isinstance(error, GatewayError):
        return Answer(WebhookError.UNFORESEEN)
    if error.code == "lease_short":
        return None
    return Answer(ERRORS.get(error.code, WebhookError.BROKEN))
