"""Descriptions of the API's addresses for drf-spectacular, which must be installed."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)

from ..serializers import AcceptDuplicateSerializer, MessageSerializer, NoFieldsSerializer
from ..stop_list import (
    MAX_NUMBERS_PER_REQUEST,
    NumbersToStopSerializer,
    StoppedNumberSerializer,
    StoppedSerializer,
)
from ..summary import MAX_COUNTED, SummarySerializer
from ..views import MAX_MESSAGES_PER_REQUEST, QueueSerializer
from .parameters import FILTERS, KEY, LOCATION, ORDERING, RETRY_AFTER
from .shapes import (
    MESSAGES,
    NEW_MESSAGES,
    WRITING_FAULTS,
    BlockedSerializer,
    FaultsSerializer,
)

FAULTS = {
    400: "A wrong value, field, parameter, or broken JSON; nothing was changed.",
    401: "Not logged in.",
    403: "Not logged in, or a permission is missing.",
    404: "There is no such message, number or page.",
    406: "The answer is to be of another type than JSON.",
    413: "The body is over 2 MB.",
    415: "The body is not JSON.",
    422: "A malformed Idempotency-Key.",
    429: "Too many requests; Retry-After says when to come back.",
}
READING = (401, 403, 406, 429)
WRITING = (400, *READING, 413, 415)


def _describe(
    name: str, summary: str, description: str, answers: Any, faults: Any, **more: Any
) -> Any:
    """Describe one operation: its answers, and its faults by HTTP status."""
    refused = {code: OpenApiResponse(FaultsSerializer, FAULTS[code]) for code in faults}
    return extend_schema(
        operation_id=f"sms_{name}",
        summary=summary,
        description=description,
        responses=answers | refused,
        **more,
    )


EXAMPLES = [
    OpenApiExample(
        "A message",
        {"number": "8 (913) 529-29-26", "text": "Ваш заказ готов", "tag": "order-7"},
        request_only=True,
    ),
    OpenApiExample(
        "A list",
        [
            {"number": "89135292926", "text": "Счёт 4711 оплачен"},
            {"number": "89135292927", "text": "Счёт 4711 оплачен"},
        ],
        request_only=True,
    ),
    OpenApiExample(
        "A wrong number",
        {
            "number": [
                {
                    "code": "landline",
                    "message": "This is a landline, and no messages are sent to it."
                    " Enter a mobile number.",
                }
            ]
        },
        response_only=True,
        status_codes=["400"],
    ),
    OpenApiExample(
        "Another text under the same guid",
        {
            "guid": [
                {
                    "code": "conflict",
                    "message": "A message with this guid exists with another text.",
                }
            ]
        },
        response_only=True,
        status_codes=["409"],
    ),
]


def _describe_action(
    name: str, summary: str, description: str, request: Any, code: int = 200
) -> Any:
    answers = {
        code: OpenApiResponse(MessageSerializer, "The message as it is now."),
        409: OpenApiResponse(BlockedSerializer, "Its state does not allow this."),
    }
    faults = (*WRITING, 404)
    return _describe(f"messages_{name}", summary, description, answers, faults, request=request)


MESSAGE_OPERATIONS = {
    "list": _describe(
        "messages_list",
        "Find messages",
        "A page at a time; follow `next` while there is one.",
        {200: MessageSerializer(many=True)},
        (400, *READING, 404),
        parameters=[*FILTERS, ORDERING],
    ),
    "create": _describe(
        "messages_create",
        f"Write one message, or a list of 1 to {MAX_MESSAGES_PER_REQUEST:,}",
        "A list is written whole or not at all. A worker sends what is written.",
        {
            201: OpenApiResponse(MESSAGES, "Written: it will be sent and paid for."),
            200: OpenApiResponse(MESSAGES, "Written before, under the same guids or key."),
            400: OpenApiResponse(WRITING_FAULTS, FAULTS[400]),
            409: OpenApiResponse(WRITING_FAULTS, "The guid or the key belongs to other content."),
            429: OpenApiResponse(WRITING_FAULTS, "Too many requests, or messages to a number."),
        },
        (401, 403, 406, 413, 415, 422),
        request=NEW_MESSAGES,
        parameters=[KEY, LOCATION],
        examples=EXAMPLES,
    ),
    "retrieve": _describe(
        "messages_retrieve",
        "Read one message",
        "By its guid.",
        {200: MessageSerializer},
        (*READING, 404),
    ),
    "summary": _describe(
        "messages_summary",
        "Count messages and segments by status",
        f"With the filters of the list; at most the {MAX_COUNTED:,} newest.",
        {200: SummarySerializer},
        (400, *READING),
        parameters=FILTERS,
    ),
    "queue": _describe(
        "messages_queue",
        "Estimate when the queue is empty",
        "It holds the messages of all clients.",
        {200: QueueSerializer},
        READING,
    ),
    "refresh": _describe_action(
        "refresh",
        "Ask for the status soon",
        "A worker asks the gateway; look again later.",
        NoFieldsSerializer,
        code=202,
    ),
    "cancel": _describe_action(
        "cancel",
        "Cancel a pending message",
        "One that was resent becomes unknown again: it may have gone out before.",
        NoFieldsSerializer,
    ),
    "resend": _describe_action(
        "resend",
        "Send an unknown message again",
        "The person may get it twice, which you have to accept.",
        AcceptDuplicateSerializer,
    ),
}
STOP_LIST_OPERATIONS = {
    "list": _describe(
        "stop_list_list",
        "List the numbers that nothing is sent to",
        "A page at a time; follow `next` while there is one.",
        {200: StoppedNumberSerializer(many=True)},
        (400, *READING, 404),
    ),
    "create": _describe(
        "stop_list_create",
        f"Add 1 to {MAX_NUMBERS_PER_REQUEST:,} numbers",
        "All or none are added; messages that wait for them are cancelled.",
        {
            201: OpenApiResponse(StoppedSerializer, "Added."),
            200: OpenApiResponse(StoppedSerializer, "All were on the list."),
        },
        WRITING,
        request=NumbersToStopSerializer,
    ),
    "retrieve": _describe(
        "stop_list_retrieve",
        "Read one number",
        "By its id.",
        {200: StoppedNumberSerializer},
        (*READING, 404),
    ),
    "destroy": _describe(
        "stop_list_destroy",
        "Take a number off the list",
        "Cancelled messages stay cancelled.",
        {204: None},
        (*READING, 404),
    ),
}


class MessagesExtension(OpenApiViewExtension):
    """Describe the messages."""

    target_class = "django_mobilon_sms.rest.views.MessageViewSet"

    def view_replacement(self) -> Any:
        """Return the view with its descriptions."""
        return _described(self.target_class, "SMS", MESSAGE_OPERATIONS)


class StopListExtension(OpenApiViewExtension):
    """Describe the stop list."""

    target_class = "django_mobilon_sms.rest.stop_list.StopListViewSet"

    def view_replacement(self) -> Any:
        """Return the view with its descriptions."""
        return _described(self.target_class, "SMS stop list", STOP_LIST_OPERATIONS)


def _described(view: Any, tag: str, operations: Any) -> Any:
    view = extend_schema_view(**operations)(type("Described", (view,), {}))
    return extend_schema(tags=[tag], parameters=[RETRY_AFTER])(view)
