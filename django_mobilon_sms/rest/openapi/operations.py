"""The operations of the API as OpenAPI describes them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from ..errors import MEDIA_TYPE, TYPE, fault
from ..events import EventPageSerializer
from ..messages.request_rows import NewMessageSerializer
from ..messages.summary import MAX_COUNTED, SummarySerializer
from ..messages.views import MAX_MESSAGES_PER_REQUEST, QueueSerializer
from ..serializers import (
    AcceptDuplicateSerializer,
    MessageSerializer,
    NoFieldsSerializer,
    NumberSerializer,
    SearchSerializer,
    WrittenMessageSerializer,
)
from ..stop_list import (
    MAX_NUMBERS_PER_REQUEST,
    NumbersSerializer,
    NumbersToStopSerializer,
    RemovedSerializer,
    StoppedSerializer,
)
from .parameters import (
    AFTER,
    DRY,
    FILTERS,
    GUID,
    KEY,
    LIMIT,
    LOCATION,
    ON_BAD_ROWS,
    ORDERING,
    PAGING,
    REPLAYED,
    WAIT,
)
from .shapes import (
    MANY_OR_DRY_RUN,
    ONE_OR_DRY_RUN,
    BlockedSerializer,
    MessagePageSerializer,
    ProblemSerializer,
    StoppedNumberPageSerializer,
    WrittenMessagesSerializer,
)

JSON = "application/json"
FAULTS = {
    400: "A wrong value, field, parameter, or broken JSON; nothing was changed.",
    401: "Not logged in.",
    403: "Not logged in, or a permission is missing.",
    404: "There is no such message, page or feed.",
    406: "The answer is to be of another type than JSON.",
    410: "What the cursor names, or what comes after it, has been deleted.",
    411: "The body has no Content-Length.",
    413: "The body is over 2 MB.",
    415: "The body is not JSON.",
    422: "A malformed Idempotency-Key.",
    409: "The guid or the key belongs to other content.",
    429: "Too many requests, messages to a number or segments; Retry-After: when to come back.",
    500: "The server has failed; its log has the reason.",
    503: "The database cannot be used; Retry-After says when to repeat the request.",
}
COMMON_FAULTS = (401, 403, 406, 429, 500, 503)
BODY_FAULTS = (400, 411, 413, 415)


def _operation(
    summary: str, description: str, answers: Any, *faults: int, **more: Any
) -> dict[str, Any]:
    """Return the description of an operation, with its own faults added to the common ones."""
    codes = (*faults, *COMMON_FAULTS)
    refused = {
        (code, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, FAULTS[code]) for code in codes
    }
    # drf-spectacular takes the first answer, by its key as a string, as the one with the rows.
    right = {(code, JSON) if isinstance(code, int) else code: answers[code] for code in answers}
    responses = dict(sorted((refused | right).items()))
    return {"summary": summary, "description": description, "responses": responses, **more}


def _action(summary: str, description: str, request: Any, code: int = 200) -> dict[str, Any]:
    answers = {
        code: OpenApiResponse(MessageSerializer, "The message as it is now."),
        (409, MEDIA_TYPE): OpenApiResponse(BlockedSerializer, "Its state does not allow this."),
    }
    return _operation(
        summary, description, answers, *BODY_FAULTS, 404, request=request, parameters=[GUID]
    )


def _writing(summary: str, description: str, shapes: Any, **more: Any) -> Any:
    """Return the description of writing, with the shapes of its answers."""
    answers = {
        201: OpenApiResponse(shapes[201], "Written: it will be sent and paid for."),
        200: OpenApiResponse(
            shapes[200], "Written before, under the same guids or key; or a dry run."
        ),
    }
    return _operation(summary, description, answers, *BODY_FAULTS, 409, 422, **more)


def _faulty(name: str, status: int, code: str, fault: dict[str, str]) -> OpenApiExample:
    """Return the example of an answer with one fault."""
    body = {
        "type": f"{TYPE}{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": fault["message"],
        "code": code,
        "errors": [fault],
        "request_id": "5a1f6b0e-2a5c-4f0e-9b52-0f6f1c1a7f11",
    }
    more: Any = {"media_type": MEDIA_TYPE, "status_codes": [str(status)]}
    return OpenApiExample(name, body, response_only=True, **more)


ONE = [
    OpenApiExample(
        "A message",
        {"number": "8 (913) 529-29-26", "text": "Ваш заказ готов", "tag": "order-7"},
        request_only=True,
    ),
    _faulty(
        "A wrong number",
        400,
        "validation_error",
        fault(
            "number",
            "landline",
            "This is a landline. Messages are not sent to landlines. Enter a mobile number.",
        ),
    ),
    _faulty(
        "Another text under the same guid",
        409,
        "conflict",
        fault("guid", "conflict", "A message with this guid exists with another text."),
    ),
]
MANY = [
    OpenApiExample(
        "A list",
        {"number": "89135292926", "text": "Счёт 4711 оплачен"},  # is shown in a list
        request_only=True,
    ),
]
MESSAGES = {
    "list": _operation(
        "Find messages",
        "A page at a time; follow `next` while there is one.",
        {200: MessagePageSerializer},
        *(400, 404, 410),
        parameters=[*FILTERS, ORDERING, *PAGING],
    ),
    "search": _operation(
        "Find the messages to a number, or with guids",
        "Give one of the two. Answers like the list, whose parameters it takes, and changes"
        " nothing. POST the same body to `next`.",
        {200: MessagePageSerializer},
        *(*BODY_FAULTS, 404, 410),
        request=SearchSerializer,
        parameters=[*FILTERS, ORDERING, *PAGING],
    ),
    "create": _writing(
        "Write one message",
        "A worker sends it.",
        {201: WrittenMessageSerializer, 200: ONE_OR_DRY_RUN},
        request=NewMessageSerializer,
        parameters=[KEY, DRY, LOCATION, REPLAYED],
        examples=ONE,
    ),
    "create_many": _writing(
        f"Write a list of 1 to {MAX_MESSAGES_PER_REQUEST:,} messages",
        "All or none are written, unless bad rows are skipped. A worker sends what is written.",
        {201: WrittenMessagesSerializer, 200: MANY_OR_DRY_RUN},
        request=NewMessageSerializer(many=True),
        parameters=[KEY, DRY, ON_BAD_ROWS, REPLAYED],
        examples=MANY,
    ),
    "retrieve": _operation(
        "Read one message",
        "By its guid.",
        {200: MessageSerializer},
        *(400, 404),
        parameters=[GUID],
    ),
    "summary": _operation(
        "Count messages and segments by status",
        f"With the filters of the list; at most the {MAX_COUNTED:,} newest.",
        {200: SummarySerializer},
        400,
        parameters=FILTERS,
    ),
    "queue": _operation(
        "Estimate when the queue is empty",
        "It holds the messages of all clients.",
        {200: QueueSerializer},
        400,
    ),
    "refresh": _action(
        "Ask for the status soon",
        "A worker asks the gateway; look again later.",
        NoFieldsSerializer,
        code=202,
    ),
    "cancel": _action(
        "Cancel a pending message",
        "One that was resent becomes unknown again: it may have gone out before.",
        NoFieldsSerializer,
    ),
    "resend": _action(
        "Send an unknown message again",
        "The person may get it twice, which you have to accept.",
        AcceptDuplicateSerializer,
    ),
}
EVENTS = {
    "list": _operation(
        "Read what happened to messages",
        "Every change of a status once and in order; of one message by `id`. Send the `cursor` of"
        " the last answer as `after`, again at once as long as it changes.",
        {200: EventPageSerializer},
        *(400, 404, 410),
        parameters=[AFTER, LIMIT, WAIT],
    ),
}
STOP_LIST = {
    "list": _operation(
        "List the numbers that nothing is sent to",
        "A page at a time; follow `next` while there is one.",
        {200: StoppedNumberPageSerializer},
        *(400, 404),
        parameters=PAGING,
    ),
    "create": _operation(
        f"Add 1 to {MAX_NUMBERS_PER_REQUEST:,} numbers",
        "All or none are added; messages that wait for them are cancelled.",
        {
            201: OpenApiResponse(StoppedSerializer, "Added."),
            200: OpenApiResponse(StoppedSerializer, "All were on the list."),
        },
        *BODY_FAULTS,
        request=NumbersToStopSerializer,
    ),
    "search": _operation(
        "Find a number",
        "Answers like the list, and changes nothing.",
        {200: StoppedNumberPageSerializer},
        *(*BODY_FAULTS, 404),
        request=NumberSerializer,
        parameters=PAGING,
    ),
    "remove": _operation(
        f"Take 1 to {MAX_NUMBERS_PER_REQUEST:,} numbers off the list",
        "All or none are taken off; cancelled messages stay cancelled.",
        {200: RemovedSerializer},
        *BODY_FAULTS,
        request=NumbersSerializer,
    ),
}
