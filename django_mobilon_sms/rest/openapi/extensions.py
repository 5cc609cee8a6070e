"""What drf-spectacular is told about the API; imported only where it is installed."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)

from ..serializers import MessageSerializer
from ..stop_list import StoppedNumberSerializer
from .parameters import FILTERS, KEY, LOCATION, ORDERING, PAGE_SIZE, RETRY_AFTER
from .shapes import (
    AcceptDuplicate,
    Blocked,
    Faults,
    Messages,
    NewMessages,
    NoFields,
    NumbersToStop,
    Queue,
    Stopped,
    Summary,
    WritingFaults,
)

TAG = ["SMS"]


STOP_TAG = ["SMS stop list"]


REFUSED = {
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


def _refused(*codes: int) -> dict[int, OpenApiResponse]:
    return {code: OpenApiResponse(Faults, REFUSED[code]) for code in codes}


ONE = OpenApiExample(
    "A message",
    {"number": "8 (913) 529-29-26", "text": "Ваш заказ готов", "tag": "order-7"},
    request_only=True,
)


LIST = OpenApiExample(
    "A list",
    [
        {"number": "89135292926", "text": "Счёт 4711 оплачен"},
        {"number": "89135292927", "text": "Счёт 4711 оплачен"},
    ],
    request_only=True,
)


WRONG = OpenApiExample(
    "A wrong number",
    {
        "number": [
            {
                "code": "landline",
                "message": "This is a landline. Messages are not sent to landlines."
                " Enter a mobile number.",
            }
        ]
    },
    response_only=True,
    status_codes=["400"],
)


CONFLICT = OpenApiExample(
    "Another text under the same guid",
    {
        "guid": [
            {"code": "conflict", "message": "A message with this guid exists with another text."}
        ]
    },
    response_only=True,
    status_codes=["409"],
)


def _writing() -> Any:
    answers = {
        201: OpenApiResponse(Messages, "Written: it will be sent and paid for."),
        200: OpenApiResponse(Messages, "Written before, by a request that named the same."),
        **_refused(*WRITING, 422),
        400: OpenApiResponse(WritingFaults, REFUSED[400]),
        409: OpenApiResponse(WritingFaults, "The guid or the key belongs to other content."),
        429: OpenApiResponse(WritingFaults, "Too many requests, or messages to a number."),
    }
    return extend_schema(
        operation_id="sms_messages_create",
        summary="Write one message, or a list of them",
        description="A list is written whole or not at all. It is in the outbox then; a worker"
        " sends it.",
        tags=TAG,
        request={"application/json": NewMessages},
        parameters=[KEY, LOCATION, RETRY_AFTER],
        responses=answers,
        examples=[ONE, LIST, WRONG, CONFLICT],
    )


def _acting(name: str, summary: str, description: str, request: Any, code: int = 200) -> Any:
    answers = {
        code: OpenApiResponse(MessageSerializer, "The message as it is now."),
        **_refused(*WRITING, 404),
        409: OpenApiResponse(Blocked, "Its state does not allow this; as it is now."),
    }
    return extend_schema(
        operation_id=f"sms_messages_{name}",
        summary=summary,
        description=description,
        tags=TAG,
        request={"application/json": request},
        parameters=[RETRY_AFTER],
        responses=answers,
    )


MESSAGES = {
    "list": extend_schema(
        operation_id="sms_messages_list",
        summary="Find messages",
        description="A page at a time; follow `next` while there is one.",
        tags=TAG,
        parameters=[*FILTERS, ORDERING, PAGE_SIZE, RETRY_AFTER],
        responses={200: MessageSerializer(many=True), **_refused(400, *READING, 404)},
    ),
    "create": _writing(),
    "retrieve": extend_schema(
        operation_id="sms_messages_retrieve",
        summary="One message",
        description="By its guid.",
        tags=TAG,
        parameters=[RETRY_AFTER],
        responses={200: MessageSerializer, **_refused(*READING, 404)},
    ),
    "summary": extend_schema(
        operation_id="sms_messages_summary",
        summary="Count messages and parts by status",
        description="For the same filters as the list; at most the 100,000 newest.",
        tags=TAG,
        parameters=[*FILTERS, RETRY_AFTER],
        responses={200: Summary, **_refused(400, *READING)},
    ),
    "queue": extend_schema(
        operation_id="sms_messages_queue",
        summary="How long until nothing waits",
        description="Of the messages of all clients.",
        tags=TAG,
        parameters=[RETRY_AFTER],
        responses={200: Queue, **_refused(*READING)},
    ),
    "refresh": _acting(
        "refresh",
        "Ask for the status soon",
        "A worker asks the gateway; look again later.",
        NoFields,
        code=202,
    ),
    "cancel": _acting(
        "cancel",
        "Take a pending message back",
        "One that was resent becomes unknown again: it may have gone out before.",
        NoFields,
    ),
    "resend": _acting(
        "resend",
        "Send an unknown message again",
        "The person may get it twice, which has to be accepted.",
        AcceptDuplicate,
    ),
}


STOP_LIST = {
    "list": extend_schema(
        operation_id="sms_stop_list_list",
        summary="Numbers that nothing is sent to",
        description="A page at a time; follow `next` while there is one.",
        tags=STOP_TAG,
        parameters=[PAGE_SIZE, RETRY_AFTER],
        responses={200: StoppedNumberSerializer(many=True), **_refused(400, *READING, 404)},
    ),
    "create": extend_schema(
        operation_id="sms_stop_list_create",
        summary="Add numbers",
        description="Whole or not at all; what waits for them is cancelled.",
        tags=STOP_TAG,
        request={"application/json": NumbersToStop},
        parameters=[RETRY_AFTER],
        responses={
            201: OpenApiResponse(Stopped, "Added."),
            200: OpenApiResponse(Stopped, "All were on the list."),
            **_refused(*WRITING),
        },
    ),
    "retrieve": extend_schema(
        operation_id="sms_stop_list_retrieve",
        summary="One number",
        description="By its id.",
        tags=STOP_TAG,
        parameters=[RETRY_AFTER],
        responses={200: StoppedNumberSerializer, **_refused(*READING, 404)},
    ),
    "destroy": extend_schema(
        operation_id="sms_stop_list_destroy",
        summary="Take a number off the list",
        description="What was cancelled stays cancelled.",
        tags=STOP_TAG,
        parameters=[RETRY_AFTER],
        responses={204: None, **_refused(*READING, 404)},
    ),
}


class MessagesExtension(OpenApiViewExtension):
    """Describes the messages."""

    target_class = "django_mobilon_sms.rest.views.MessageViewSet"

    def view_replacement(self) -> Any:
        """The view with what is said about it."""
        view: Any = self.target_class
        return extend_schema_view(**MESSAGES)(type("Messages", (view,), {}))


class StopListExtension(OpenApiViewExtension):
    """Describes the stop list."""

    target_class = "django_mobilon_sms.rest.stop_list.StopListViewSet"

    def view_replacement(self) -> Any:
        """The view with what is said about it."""
        view: Any = self.target_class
        return extend_schema_view(**STOP_LIST)(type("StopList", (view,), {}))
