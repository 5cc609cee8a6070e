"""The REST API. It writes rows and never touches the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext_lazy as _
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from ..choices import Status
from ..exceptions import GuidConflict, InvalidRows
from ..models import SmsMessage
from ..outbox import send_sms, write_many
from ..querysets import MessageQuerySet
from .filters import MessageFilter
from .pagination import MessagePagination
from .parsers import StrictJSONParser
from .permissions import ACT, SEE, WRITE, MessagePermission
from .serializers import MessageSerializer, read_row
from .throttles import ActThrottle, CreateThrottle

#: How many messages one request may write.
MAX_ROWS = 1000

Errors = Mapping[str, Sequence[Mapping[str, str]]]


class MessageViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[SmsMessage]):
    """Messages: write, find, and act on them."""

    queryset = SmsMessage.objects.all()
    serializer_class = MessageSerializer
    permission_classes = [MessagePermission]
    parser_classes = [StrictJSONParser]
    pagination_class = MessagePagination
    filter_backends = [MessageFilter]
    lookup_field = "guid"
    lookup_value_converter = "uuid"

    @property
    def required_permission(self) -> str:
        """The permission that the current request needs."""
        if self.action in ("refresh", "cancel", "resend"):
            return ACT
        return WRITE if self.request.method == "POST" else SEE

    @property
    def user(self) -> AbstractBaseUser:
        """Who asks; the permission lets nobody anonymous through."""
        return cast("AbstractBaseUser", self.request.user)

    def get_throttles(self) -> list[BaseThrottle]:
        """Writing and acting are limited, reading is the project's matter."""
        if self.action == "create":
            return [CreateThrottle()]
        if self.action in ("refresh", "cancel", "resend"):
            return [ActThrottle()]
        return super().get_throttles()

    def handle_exception(self, exc: Exception) -> Response:
        """Errors by field, each with its code beside its message."""
        response = super().handle_exception(exc)
        if isinstance(exc, serializers.ValidationError):
            response.data = exc.get_full_details()
        return response

    def create(self, request: Request) -> Response:
        """Write one message, or a list of them, whole or not at all.

        201, or 200 if all of it was written before under the same guids.
        """
        if isinstance(request.data, list):
            return self._create_many(request.data)
        try:
            row = read_row(request.data)
            message = send_sms(**row, created_by=self.user)
        except ValidationError as error:
            return Response(_by_field(error), status.HTTP_400_BAD_REQUEST)
        except GuidConflict as error:
            return Response(_conflict(error), status.HTTP_409_CONFLICT)
        data = self.get_serializer(message).data
        if not message.was_written:
            return Response(data)
        address = self.reverse_action("detail", args=[message.guid])
        return Response(data, status.HTTP_201_CREATED, headers={"Location": address})

    def _create_many(self, given: Sequence[object]) -> Response:
        if not 1 <= len(given) <= MAX_ROWS:
            message = _("Give a list of 1 to %(most)d messages.") % {"most": MAX_ROWS}
            error = {"non_field_errors": [{"code": "length", "message": message}]}
            return Response(error, status.HTTP_400_BAD_REQUEST)
        rows, errors = _read_rows(given)
        if errors:
            return Response({"errors": errors}, status.HTTP_400_BAD_REQUEST)
        try:
            messages = write_many(row | {"created_by": self.user} for row in rows)
        except InvalidRows as error:
            found = [vars(one) for one in error.errors]
            conflict = all(one.code == "conflict" for one in error.errors)
            code = status.HTTP_409_CONFLICT if conflict else status.HTTP_400_BAD_REQUEST
            return Response({"errors": found, "count": error.count}, code)
        written = any(message.was_written for message in messages)
        data = self.get_serializer(messages, many=True).data
        return Response(data, status.HTTP_201_CREATED if written else status.HTTP_200_OK)

    @action(detail=False)
    def summary(self, request: Request) -> Response:
        """How many messages and parts there are in each status, for the same filters."""
        rows = self.filter_queryset(self.get_queryset()).order_by("status").values("status")
        counts = rows.annotate(messages=Count("pk"), parts=Sum("segments"))
        return Response({"statuses": list(counts)})

    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, guid: UUID) -> Response:
        """Let the worker ask for the status soon."""
        return self._act(request, MessageQuerySet.check_soon, status.HTTP_202_ACCEPTED)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, guid: UUID) -> Response:
        """Take a pending message back."""
        return self._act(request, MessageQuerySet.cancel)

    @action(detail=True, methods=["post"])
    def resend(self, request: Request, guid: UUID) -> Response:
        """Send an unknown message again, though the person may get it twice."""
        accepted = isinstance(request.data, dict) and request.data.get("accept_duplicate") is True
        if not accepted:
            message = _('The person may get it twice. Say {"accept_duplicate": true} to go on.')
            error = {"accept_duplicate": [{"code": "required", "message": message}]}
            return Response(error, status.HTTP_400_BAD_REQUEST)
        return self._act(request, lambda rows: rows.resend(by=self.user))

    def _act(self, request: Request, verb: Any, code: int = status.HTTP_200_OK) -> Response:
        """Do it if the message's state allows; 409 with the current state otherwise."""
        message = self.get_object()
        changed = verb(SmsMessage.objects.on_primary().filter(pk=message.pk))
        current = SmsMessage.objects.on_primary().get(pk=message.pk)
        data = self.get_serializer(current).data
        if changed:
            return Response(data, code)
        label = Status(current.status).label
        detail = _("This can not be done to a message with the status “%(status)s”.")
        error = {"code": "state", "message": detail % {"status": label}}
        return Response({"non_field_errors": [error], "current": data}, status.HTTP_409_CONFLICT)

    def filter_queryset(self, queryset: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
        """The list and the summary are filtered; one message is found by its guid alone."""
        return queryset if self.detail else super().filter_queryset(queryset)


def _read_rows(given: Sequence[object]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rows, errors = [], []
    for index, item in enumerate(given):
        try:
            rows.append(read_row(item))
        except ValidationError as error:
            errors += [
                {"index": index, "field": field, **one}
                for field, found in _by_field(error).items()
                for one in found
            ]
    return rows, errors


def _by_field(error: ValidationError) -> Errors:
    return {
        field: [{"code": str(one.code), "message": one.messages[0]} for one in found]
        for field, found in error.error_dict.items()
    }


def _conflict(error: GuidConflict) -> Errors:
    message = _("A message with this guid exists with another %(fields)s.")
    text = message % {"fields": ", ".join(error.fields)}
    return {"guid": [{"code": "conflict", "message": text}]}
