"""The query parameters and headers of the API as OpenAPI describes them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from ...choices import ErrorCode, Status
from ..idempotency_key import HEADER
from ..pagination import MessagePagination


def _query(name: str, schema: Any, description: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, schema, description=description, **more)


def _time(name: str, description: str) -> OpenApiParameter:
    return _query(name, {"type": "string", "format": "date-time"}, description)


FILTERS = [
    _query(
        "status",
        {"type": "array", "items": {"type": "string", "enum": sorted(Status.values)}},
        "In this status; several may be named.",
        explode=True,
    ),
    _query("number", str, "To this number, as people type it."),
    _query("tag", {"type": "string", "minLength": 1}, "With this tag."),
    _query(
        "source",
        {"type": "string", "minLength": 1},
        "From this sender; another parameter must stand beside it.",
    ),
    _query("error_code", {"type": "string", "enum": sorted(ErrorCode.values)}, "With this error."),
    _time("created_after", "Written at this moment or later; with its zone."),
    _time("created_before", "Written before this moment; with its zone."),
    _time("sent_after", "Sent at this moment or later; with its zone."),
    _time("sent_before", "Sent before this moment; with its zone."),
]


PAGE_SIZE = _query(
    MessagePagination.page_size_query_param,
    {"type": "integer", "minimum": 1, "default": MessagePagination.page_size},
    f"Messages in a page; at most {MessagePagination.max_page_size} are given.",
)


ORDERING = _query(
    MessagePagination.ordering_query_param,
    {"type": "string", "enum": ["created_at", "-created_at", "sent_at", "-sent_at"]},
    "The order, if not the last written first; by sent_at only what was sent is listed.",
)


KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="Names the request, so that it can be made again: it finds its messages.",
)


LOCATION = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    description="The address of the message, if one was written.",
    response=[201],
)


RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    {"type": "integer"},
    OpenApiParameter.HEADER,
    description="Seconds after which it can be tried again.",
    response=[429],
)
