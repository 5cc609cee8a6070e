"""Query parameters and headers of the API as OpenAPI describes them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from ...choices import ErrorCode, Status
from ..idempotency_key import HEADER
from ..pagination import MessagePagination
from ..views import MessageViewSet

WORD = {"type": "string", "minLength": 1}


def _query(name: str, description: str, schema: Any = str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, schema, description=description, **more)


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
        }.items()
    ),
]
ORDERING = _query(
    MessagePagination.ordering_query_param,
    "The order, by default the newest first; sent_at lists only messages that were sent.",
    enum=[f"{sign}{field}" for field in MessageViewSet.ordering_fields for sign in ("", "-")],
)
KEY = OpenApiParameter(
    HEADER,
    WORD | {"maxLength": 255, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="Names the request, so that a retry finds its messages.",
)
LOCATION = OpenApiParameter(
    "Location",
    OpenApiTypes.URI,
    OpenApiParameter.HEADER,
    description="The address of the message, if one was written.",
    response=[201],
)
RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    description="Retry after this many seconds.",
    response=[429],
)
