"""The REST API. It writes rows and never contacts the gateway."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from ...choices import Status
from ...conf import conf
from ...exceptions import InvalidRows
from ...models import GatewayState, MessageQuerySet, SmsMessage, retry_on_lock
from ...operations import monitoring
from ..errors import Blocked, refusal
from ..pagination import MessagePagination
from ..parsing import StrictJSONParser
from ..permissions import ACT, RESEND, SEE, WRITE, MessagePermission
from ..serializers import (
    AcceptDuplicateSerializer,
    ExactSerializer,
    MessageSerializer,
    NoFieldsSerializer,
    SearchSerializer,
    WrittenMessageSerializer,
)
from ..strict_view import StrictView
from ..throttling import ActThrottle, CreateThrottle
from .bad_rows import Written
from .filters import LOOKUPS, PAGING, MessageFilter
from .filters import read as read_filters
from .idempotency_key import KeyedRequest, read_key
from .summary import SummarySerializer, count
from .write_request import ON_ERROR, Options, OptionsForm, WriteRequest, read_options
from .writing_answers import judgement, with_bad_rows

#: How many messages one request may write.
MAX_MESSAGES_PER_REQUEST = 1000
#: How long writing is retried while other writers block it, in seconds.
MAX_RETRY_SECONDS = 10.0
WRITING = ("create", "create_many")
ACTIONS = ("refresh", "cancel", "resend")


class QueueSerializer(ExactSerializer):
    """How long the queue lasts."""

    seconds_to_empty = serializers.FloatField(
        allow_null=True,
        help_text="At the allowed pace, or at the recent one. Null: nothing was sent recently.",
    )


class MessageViewSet(
    StrictView, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[SmsMessage]
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
    lookup_value_converter = "str"  # anything but a guid gets this API's 404, not the project's

    @property
    def required_permission(self) -> str:
        """The permission that the current request needs."""
        if self.action in ACTIONS:
            return RESEND if self.action == "resend" else ACT
        return WRITE if self.action in WRITING else SEE

    @property
    def parameters(self) -> Collection[str]:
        """The query parameters that the current action reads."""
        if self.action in ("list", "search"):
            return {*LOOKUPS, *PAGING}
        if self.action in WRITING:
            return set(OptionsForm.base_fields) - ({ON_ERROR} if self.action == "create" else set())
        return LOOKUPS if self.action == "summary" else ()

    @property
    def user(self) -> AbstractBaseUser:
        """The caller, who is never anonymous: ``MessagePermission`` lets no such user in."""
        return cast("AbstractBaseUser", self.request.user)

    def get_throttles(self) -> list[BaseThrottle]:
        """Limit writing and acting, in addition to the project's throttles."""
        own: list[BaseThrottle] = []
        if self.action in WRITING:
            own = [CreateThrottle()]
        if self.action in ACTIONS:
            own = [ActThrottle()]
        return [*super().get_throttles(), *own]

    def get_queryset(self) -> MessageQuerySet:
        """Return the messages the user may see, from the primary for an action: replicas lag."""
        rows = SmsMessage.objects.all()
        if conf.REST_OWN_MESSAGES_ONLY:
            rows = rows.filter(created_by=self.user.pk)
        return rows.for_write() if self.action in ACTIONS else rows

    def filter_queryset(self, queryset: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
        """Filter the list and the summary; one message is found by its guid alone."""
        return queryset if self.detail else super().filter_queryset(queryset)

    @sensitive_variables()
    def create(self, request: Request) -> Response:
        """Write one message.

        Answer 201, or 200 if it exists under the same guid or ``Idempotency-Key``.
        """
        if isinstance(request.data, list):
            message = _("Give a message as an object. Send a list to messages/many/.")
            faults = {"non_field_errors": [message]}
            raise serializers.ValidationError(faults, code="not_an_object")
        return self._create([request.data], many=False)

    @action(detail=False, methods=["post"], url_path="many", pagination_class=None)
    @sensitive_variables()
    def create_many(self, request: Request) -> Response:
        """Write a list of messages: whole or not at all, or its good rows.

        Answer 201, or 200 if all of them exist under the same guids or ``Idempotency-Key``.
        """
        given = request.data
        if not isinstance(given, list) or not 1 <= len(given) <= MAX_MESSAGES_PER_REQUEST:
            message = _("Give a list of 1 to %(most)d messages.")
            faults = {"non_field_errors": [message % {"most": MAX_MESSAGES_PER_REQUEST}]}
            raise serializers.ValidationError(faults, code="length")
        return self._create(given, many=True)

    @sensitive_variables()
    def _create(self, given: Sequence[object], *, many: bool) -> Response:
        key, options = read_key(self.request), read_options(self.request.query_params)
        try:
            written = self._write(given, key, options)
        except InvalidRows as error:
            raise refusal(error, many=many) from None
        if options.dry_run:
            return Response(judgement(written))
        return self._written(written, many=many)

    @sensitive_variables()
    def _write(self, given: Sequence[object], key: str, options: Options) -> Written:
        if key:
            write = KeyedRequest(self.user, given, options, key).write
        else:
            write = WriteRequest(self.user, given, options).write
            named = all(isinstance(one, Mapping) and one.get("guid") for one in given)
            if not (named or options.dry_run):
                return write()
        # Requests that write the same rows at once may block each other. The key or the guids make
        # it safe to retry.
        alias = router.db_for_write(SmsMessage)
        return retry_on_lock(write, using=alias, seconds=MAX_RETRY_SECONDS)

    def _written(self, written: Written, *, many: bool) -> Response:
        messages = written.messages
        context = self.get_serializer_context()
        rows: Any = WrittenMessageSerializer(messages, many=True, context=context).data
        answer = with_bad_rows(written, rows) if many else rows[0]
        if not written.is_new:
            return Response(answer, headers={"Idempotency-Replayed": "true"})
        headers = {}
        if not many:
            headers["Location"] = self.reverse_action("detail", args=[messages[0].guid])
        return Response(answer, status.HTTP_201_CREATED, headers=headers)

    @action(detail=False, methods=["post"])
    @sensitive_variables()
    def search(self, request: Request) -> Response:
        """Find messages by a number or by guids, as the list does, without them in an address."""
        wanted = SearchSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        rows = self.filter_queryset(self.get_queryset()).filter(**wanted.validated_data)
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @action(detail=False)
    def summary(self, request: Request) -> Response:
        """Count messages and segments by status, with the filters of the list."""
        rows = self.filter_queryset(self.get_queryset())
        return Response(SummarySerializer(count(rows, read_filters(request))).data)

    @action(detail=False, filter_backends=[])
    def queue(self, request: Request) -> Response:
        """Estimate when the queue of all clients is empty; null where that is unknown."""
        wait = monitoring.queue(GatewayState.objects.peek().now).time_to_empty
        seconds = None if wait is None else wait.total_seconds()
        return Response(QueueSerializer({"seconds_to_empty": seconds}).data)

    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, guid: str) -> Response:
        """Let the worker query the status soon."""
        self._check_body(NoFieldsSerializer)
        return self._change(MessageQuerySet.check_soon, code=status.HTTP_202_ACCEPTED)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, guid: str) -> Response:
        """Cancel a pending message."""
        self._check_body(NoFieldsSerializer)
        return self._change(lambda rows: rows.cancel(by=self.user))

    @action(detail=True, methods=["post"])
    def resend(self, request: Request, guid: str) -> Response:
        """Send an unknown message again, though the person may get it twice."""
        self._check_body(AcceptDuplicateSerializer)
        return self._change(lambda rows: rows.resend(by=self.user))

    def _check_body(self, serializer: type[ExactSerializer]) -> None:
        serializer(data=self.request.data).is_valid(raise_exception=True)

    def _change(
        self, change: Callable[[MessageQuerySet], Any], *, code: int = status.HTTP_200_OK
    ) -> Response:
        """Change the message if its state allows; answer 409 with its current state otherwise."""
        message = self.get_object()
        changed = change(self.get_queryset().filter(pk=message.pk))
        current = self.get_object()
        data = self.get_serializer(current).data
        if changed:
            return Response(data, code)
        raise Blocked(_reason_not_changed(current, self.action), data)


def _reason_not_changed(message: SmsMessage, action: str) -> str:
    if action == "resend" and message.status == Status.UNKNOWN:
        return _(
            "It cannot be sent again: its request may still be under way, somebody has decided"
            " about it, its number is on the stop list, or its text has been forgotten."
        )
    text = _("This cannot be done to a message with the status “%(status)s”.")
    return text % {"status": Status(message.status).label}
