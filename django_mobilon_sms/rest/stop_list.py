"""The stop list over REST: read and search it, add numbers to it, take numbers off it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from ..models import StoppedNumber
from ..outbox import MAX_ERRORS, MAX_NOTE, clean_note, stop, take_off
from ..phone_numbers import ANY_NUMBER, normalize_number
from .errors import Faulty, fault
from .pagination import RowPagination
from .parsing import StrictJSONParser
from .permissions import MessagePermission
from .serializers import IN_UTC, ExactSerializer, NumberSerializer
from .strict_view import StrictView
from .throttling import CreateThrottle

#: How many numbers one request may add or take off.
MAX_NUMBERS_PER_REQUEST = 1000
#: Characters of a wrong number that an answer repeats.
MAX_SHOWN = 40
NEEDED = {
    "create": "mobilon_sms.add_stoppednumber",
    "remove": "mobilon_sms.delete_stoppednumber",
}
SEE = "mobilon_sms.view_stoppednumber"


class NumbersField(serializers.ListField):
    """A list of numbers, which the outbox validates."""

    def run_validation(self, data: Any = empty) -> Any:
        """Return the list. Raise ``ValidationError`` for a wrong length or another type."""
        if not isinstance(data, list) or not 1 <= len(data) <= MAX_NUMBERS_PER_REQUEST:
            message = _("Give a list of 1 to %(most)d numbers.")
            params = {"most": MAX_NUMBERS_PER_REQUEST}
            raise ValidationError(message, code="length", params=params)
        return data


class NoteField(serializers.CharField):
    """Printable characters."""

    def run_validation(self, data: Any = empty) -> Any:
        """Return the note, empty if there is none. Raise ``ValidationError``."""
        return clean_note("" if data is empty else data)


class NumbersSerializer(ExactSerializer):
    """Numbers of the stop list."""

    not_an_object = _("Give an object with numbers.")
    numbers = NumbersField(
        child=serializers.CharField(), min_length=1, max_length=MAX_NUMBERS_PER_REQUEST
    )


class NumbersToStopSerializer(NumbersSerializer):
    """Numbers for the stop list."""

    note = NoteField(required=False, max_length=MAX_NOTE, help_text="Printable characters.")


class StoppedSerializer(ExactSerializer):
    """What became of the numbers."""

    added = serializers.IntegerField(help_text="Numbers that are new to the list.")
    cancelled = serializers.IntegerField(help_text="Messages that will not be sent.")


class RemovedSerializer(ExactSerializer):
    """What became of the numbers."""

    removed = serializers.IntegerField(help_text="Numbers that were on the list.")


class StoppedNumberSerializer(serializers.ModelSerializer[StoppedNumber]):
    """A number on the stop list. The time is in UTC."""

    class Meta:
        model = StoppedNumber
        ref_name = "SmsStoppedNumber"
        fields = ["number", "note", "created_at"]
        read_only_fields = fields
        extra_kwargs = {"created_at": IN_UTC}


@sensitive_variables()
def number_faults(numbers: Sequence[object]) -> list[dict[str, Any]]:
    """Return the first faults of a list of numbers, each with its index and the number as sent."""
    faults: list[dict[str, Any]] = []
    for index, number in enumerate(numbers):
        try:
            normalize_number(number, allowed=ANY_NUMBER)
        except ValidationError as error:
            place = {"index": index, "number": _as_sent(number)}
            faults.append(fault("numbers", str(error.code), error.messages[0], **place))
            if len(faults) == MAX_ERRORS:
                break
    return faults


def _as_sent(value: object) -> str:
    """Return the beginning of a value; "" for one that is neither a string nor a number."""
    text = str(value)[:MAX_SHOWN] if isinstance(value, str | int | float) else ""
    return text.encode(errors="replace").decode()  # half a character cannot be sent back


class StopListViewSet(StrictView, mixins.ListModelMixin, GenericViewSet[StoppedNumber]):
    """Numbers that nothing is sent to. No address names one."""

    queryset = StoppedNumber.objects.all()
    serializer_class = StoppedNumberSerializer
    permission_classes = [MessagePermission]
    parser_classes = [StrictJSONParser]
    pagination_class = RowPagination
    filter_backends: list[Any] = []

    @property
    def required_permission(self) -> str:
        """The permission that the current request needs."""
        return NEEDED.get(self.action or "", SEE)

    @property
    def parameters(self) -> Collection[str]:
        """The query parameters that the current action reads."""
        paging = (RowPagination.cursor_query_param, RowPagination.page_size_query_param)
        return paging if self.action in ("list", "search") else ()

    def get_throttles(self) -> list[BaseThrottle]:
        """Limit changes of the list, in addition to the project's throttles."""
        own = [CreateThrottle()] if self.action in NEEDED else []
        return [*super().get_throttles(), *own]

    @sensitive_variables()
    def create(self, request: Request) -> Response:
        """Add numbers and cancel the messages that wait for them.

        Answer 201 with both counts, or 200 if all of the numbers were on the list.
        """
        wanted = NumbersToStopSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        if faults := number_faults(wanted.validated_data["numbers"]):
            raise Faulty(faults)
        stopped = stop(**wanted.validated_data, by=cast("AbstractBaseUser", request.user))
        code = status.HTTP_201_CREATED if stopped.added else status.HTTP_200_OK
        return Response(StoppedSerializer(stopped).data, code)

    @action(detail=False, methods=["post"])
    @sensitive_variables()
    def search(self, request: Request) -> Response:
        """Find a number, as the list does, without the number in an address."""
        wanted = NumberSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        page = self.paginate_queryset(self.get_queryset().filter(**wanted.validated_data))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @action(detail=False, methods=["post"])
    @sensitive_variables()
    def remove(self, request: Request) -> Response:
        """Take numbers off the list, all or none. Cancelled messages stay cancelled."""
        wanted = NumbersSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        if faults := number_faults(wanted.validated_data["numbers"]):
            raise Faulty(faults)
        removed = take_off(**wanted.validated_data)
        return Response(RemovedSerializer({"removed": removed}).data)
