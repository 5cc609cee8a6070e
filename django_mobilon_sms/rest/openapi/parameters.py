"""Query parameters and headers of the API as OpenAPI describes them."""

from __future__ import annotations

from functools import partial
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from ...choices import ErrorCode, Status
from ...events import MAX_LIMIT
from ..events import MAX_WAIT, NEWEST
from ..messages.idempotency_key import HEADER
from ..messages.views import MessageViewSet
from ..messages.write_request import DRY_RUN, ON_ERROR
from ..pagination import MessagePagination
from ..problem_view import REQUEST_ID

WORD = {"type": "string", "minLength": 1}
#: Answers that have the headers of the rates.
LIMITED = [200, 201, 202, 429]


def _query(name: str, description: str, schema: Any = str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, schema, description=description, **more)


_header = partial(_query, location=OpenApiParameter.HEADER)

FILTERS = [
    _query("status", "With this status; may be repeated.", enum=Status.values, many=True),
    _query("tag", "With this tag.", WORD),
    _query("source", "From this sender; needs another parameter as well.", WORD),
    _query("error_code", "With this error.", enum=ErrorCode.values),
    *(
        _query(name, f"{description}; with its time zone.", OpenApiTypes.DATETIME)
        for name, description in {
            "created_after": "Written at this time or later",
            "created_before": "Written before this time",
            "sent_after": "Sent at this time or later",
            "sent_before": "Sent before this time",
            "changed_after": "With a change at this time or later, which needs events",
        }.items()
    ),
]
ORDERING = _query(
    MessagePagination.ordering_query_param,
    "The order, by default the newest first; sent_at lists only messages that were sent.",
    enum=[f"{sign}{field}" for field in MessageViewSet.ordering_fields for sign in ("", "-")],
)
PAGING = [
    _query(MessagePagination.cursor_query_param, "From `next` or `previous` of another page."),
    _query(
        "page_size",
        "How many a page holds; more than 1,000 counts as 1,000.",
        {"type": "integer", "minimum": 1, "default": 100},
    ),
]
AFTER = _query("after", f"A cursor, or `{NEWEST}`; without it, from the oldest event on.", WORD)
LIMIT = _query(
    "limit",
    "How many events at most.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 100},
)
WAIT = _query(
    "wait",
    "How many seconds to wait for an event.",
    {"type": "integer", "minimum": 0, "maximum": MAX_WAIT, "default": 0},
)
GUID = OpenApiParameter("guid", OpenApiTypes.UUID, OpenApiParameter.PATH)
KEY = _header(
    HEADER,
    "Names the request, so that a retry finds its messages.",
    WORD | {"maxLength": 255, "pattern": "^[ -~]+$"},
)
DRY = _query(DRY_RUN, "true: judge the request, write nothing, use up no key.", bool)
ON_BAD_ROWS = _query(
    ON_ERROR,
    "What a bad row of a list means: none is written, or the others are.",
    enum=["refuse", "skip"],
)
LOCATION = _header("Location", "The address of the message.", OpenApiTypes.URI, response=[201])
REPLAYED = _header(
    "Idempotency-Replayed",
    "`true`: nothing was written, because all of the messages existed.",
    response=[200],
)
HEADERS = [
    _header("Retry-After", "Retry after this many seconds.", int, response=[429, 503]),
    _header(
        REQUEST_ID,
        "Names the request in the answer and in the server's log: 1 to 64 letters, digits or any of"
        " `. _ : -`. Another name is replaced.",
    ),
    _header(REQUEST_ID, "The name of the request.", response=True),
    _header("RateLimit-Policy", "The rates that count this request.", response=LIMITED),
    _header("RateLimit", "How many requests are left, and for how long.", response=LIMITED),
]
