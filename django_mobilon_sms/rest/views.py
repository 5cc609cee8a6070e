"""The REST API. It writes rows and never touches the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from ..choices import Status
from ..conf import conf
from ..exceptions import InvalidRows
from ..models import GatewayState, MessageQuerySet, SmsMessage, retry_on_lock
from ..operations import monitoring
from ..outbox import write_many
from .errors import CodedErrors, fault, refusal
from .filters import MessageFilter
from .idempotency_key import Repeatable, read_key
from .pagination import MessagePagination
from .parsing import StrictJSONParser
from .permissions import ACT, SEE, WRITE, MessagePermission
from .request_rows import read_rows
from .serializers import MessageSerializer
from .summary import count
from .throttling import ActThrottle, CreateThrottle

#: How many messages one request may write.
MAX_ROWS = 1000
#: How long writing is repeated while others block it, in seconds.
PATIENCE = 10.0
ACTIONS = ("refresh", "cancel", "resend")


class MessageViewSet(
    CodedErrors, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[SmsMessage]
):
    """Messages: write, find, and act on them."""

    queryset = SmsMessage.objects.all()
    serializer_class = MessageSerializer
    permission_classes = [MessagePermission]
    parser_classes = [StrictJSONParser]
    pagination_class = MessagePagination
    filter_backends = [MessageFilter]
    ordering_fields = ("created_at", "sent_at")
    lookup_field = "guid"
    lookup_value_converter = "str"  # what is no guid gets this API's 404, not the project's page

    @property
    def required_permission(self) -> str:
        """The permission that the current request needs."""
        if self.action in ACTIONS:
            return ACT
        return WRITE if self.request.method == "POST" else SEE

    @property
    def user(self) -> AbstractBaseUser:
        """Who asks; the permission lets nobody anonymous through."""
        return cast("AbstractBaseUser", self.request.user)

    def get_throttles(self) -> list[BaseThrottle]:
        """Writing and acting are limited, besides what the project limits."""
        own: list[BaseThrottle] = []
        if self.action == "create":
            own = [CreateThrottle()]
        if self.action in ACTIONS:
            own = [ActThrottle()]
        return [*super().get_throttles(), *own]

    def get_queryset(self) -> MessageQuerySet:
        """The messages one may see; for an action as the primary has them, a replica may lag."""
        rows = SmsMessage.objects.all()
        if conf.REST_OWN_MESSAGES_ONLY:
            rows = rows.filter(created_by=self.user.pk)
        return rows.for_write() if self.action in ACTIONS else rows

    def filter_queryset(self, queryset: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
        """The list and the summary are filtered; one message is found by its guid alone."""
        return queryset if self.detail else super().filter_queryset(queryset)

    @sensitive_variables()
    def create(self, request: Request) -> Response:
        """Write one message, or a list of them, whole or not at all.

        201, or 200 if all of it was written before under the same guids or ``Idempotency-Key``.
        """
        key, many = read_key(request), isinstance(request.data, list)
        given: list[object] = request.data if isinstance(request.data, list) else [request.data]
        if not 1 <= len(given) <= MAX_ROWS:
            message = _("Give a list of 1 to %(most)d messages.") % {"most": MAX_ROWS}
            error = {"non_field_errors": [fault("length", message)]}
            return Response(error, status.HTTP_400_BAD_REQUEST)
        try:
            messages = self._write(given, key)
        except InvalidRows as error:
            return refusal(error, many=many)
        return self._written(messages, many=many)

    @sensitive_variables()
    def _write(self, given: Sequence[object], key: str) -> list[SmsMessage]:
        request = Repeatable(self.user, read_rows(given), key)
        write = partial(write_many, request.rows, extra_checks=request.extra_checks)
        if any(row.get("guid") is None for row in request.rows):
            return write()
        # Those who write the same at once may block each other; by its guids it is safe to repeat.
        return retry_on_lock(write, using=router.db_for_write(SmsMessage), seconds=PATIENCE)

    def _written(self, messages: Sequence[SmsMessage], *, many: bool) -> Response:
        data = self.get_serializer(messages if many else messages[0], many=many).data
        if not any(message.was_written for message in messages):
            return Response(data)
        headers = {}
        if not many:
            headers["Location"] = self.reverse_action("detail", args=[messages[0].guid])
        return Response(data, status.HTTP_201_CREATED, headers=headers)

    @action(detail=False)
    def summary(self, request: Request) -> Response:
        """How many messages and parts there are in each status, for the same filters."""
        rows = self.filter_queryset(self.get_queryset())
        return Response(count(rows, request.query_params))

    @action(detail=False, filter_backends=[])
    def queue(self, request: Request) -> Response:
        """How long until nothing waits, of all clients' messages; null where nobody can tell."""
        wait = monitoring.queue(GatewayState.objects.peek().now).time_to_empty
        return Response({"seconds_to_empty": None if wait is None else wait.total_seconds()})

    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, guid: str) -> Response:
        """Let the worker ask for the status soon."""
        self._named()
        return self._act(MessageQuerySet.check_soon, code=status.HTTP_202_ACCEPTED)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, guid: str) -> Response:
        """Take a pending message back."""
        self._named()
        return self._act(MessageQuerySet.cancel)

    @action(detail=True, methods=["post"])
    def resend(self, request: Request, guid: str) -> Response:
        """Send an unknown message again, though the person may get it twice."""
        if self._named("accept_duplicate").get("accept_duplicate") is not True:
            message = _('The person may get it twice. Say {"accept_duplicate": true} to go on.')
            raise ValidationError({"accept_duplicate": [message]}, code="required")
        return self._act(lambda rows: rows.resend(by=self.user))

    def _named(self, *fields: str) -> Mapping[str, Any]:
        """What the body of an action names; ``ValidationError`` for anything but these fields."""
        given: object = self.request.data
        if not isinstance(given, Mapping):
            message = _("Give an object, or no body at all.")
            raise ValidationError({"non_field_errors": [message]}, code="not_an_object")
        if unknown := sorted(str(name) for name in given if name not in fields):
            message = _("There is no such field.")
            raise ValidationError({name: [message] for name in unknown}, code="unknown_field")
        return given

    def _act(self, verb: Any, *, code: int = status.HTTP_200_OK) -> Response:
        """Do it if the message's state allows; 409 with the current state otherwise."""
        message = self.get_object()
        changed = verb(self.get_queryset().filter(pk=message.pk))
        current = self.get_object()
        data = self.get_serializer(current).data
        if changed:
            return Response(data, code)
        error = fault("state", _why_not(current, self.action))
        return Response({"non_field_errors": [error], "current": data}, status.HTTP_409_CONFLICT)


def _why_not(message: SmsMessage, action: str) -> str:
    if action == "resend" and message.status == Status.UNKNOWN:
        return _(
            "It can not be sent again: its request may still be under way, somebody has decided"
            " about it, its number is on the stop list, or its text has been forgotten."
        )
    text = _("This can not be done to a message with the status “%(status)s”.")
    return text % {"status": Status(message.status).label}
