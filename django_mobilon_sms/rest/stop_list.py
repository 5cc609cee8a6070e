"""The stop list over REST: read it, add numbers to it, take one off it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import mixins, serializers, status
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from ..models import StoppedNumber
from ..outbox import MAX_ERRORS, stop
from ..phone_numbers import ANY_NUMBER, normalize_number
from .errors import CodedErrors, fault
from .pagination import MessagePagination
from .parsing import StrictJSONParser
from .permissions import MessagePermission
from .serializers import IN_UTC, ExactSerializer
from .throttling import CreateThrottle

#: How many numbers one request may add.
MAX_NUMBERS_PER_REQUEST = 1000
MAX_NOTE = 200
#: Characters of a wrong number that an answer repeats.
MAX_SHOWN = 40
NEEDED = {
    "POST": "mobilon_sms.add_stoppednumber",
    "DELETE": "mobilon_sms.delete_stoppednumber",
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
        note = "" if data is empty else data
        if not isinstance(note, str) or len(note) > MAX_NOTE or not note.isprintable():
            message = _("Write a note of at most 200 printable characters.")
            raise ValidationError(message, code="invalid")
        return note


class NumbersToStopSerializer(ExactSerializer):
    """Numbers for the stop list."""

    not_an_object = _("Give an object with numbers.")
    numbers = NumbersField(
        child=serializers.CharField(), min_length=1, max_length=MAX_NUMBERS_PER_REQUEST
    )
    note = NoteField(required=False, max_length=MAX_NOTE, help_text="Printable characters.")


class StoppedSerializer(ExactSerializer):
    """What became of the numbers."""

    added = serializers.IntegerField(help_text="Numbers that are new to the list.")
    cancelled = serializers.IntegerField(help_text="Messages that will not be sent.")


class StoppedNumberSerializer(serializers.ModelSerializer[StoppedNumber]):
    """A number on the stop list. The time is in UTC."""

    class Meta:
        model = StoppedNumber
        ref_name = "SmsStoppedNumber"
        fields = ["id", "number", "note", "created_at"]
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
            found = fault(str(error.code), error.messages[0])
            faults.append(found | {"index": index, "number": _as_sent(number)})
            if len(faults) == MAX_ERRORS:
                break
    return faults


def _as_sent(value: object) -> str:
    """Return the beginning of a value; "" for one that is neither a string nor a number."""
    text = str(value)[:MAX_SHOWN] if isinstance(value, str | int | float) else ""
    return text.encode(errors="replace").decode()  # half a character cannot be sent back


class StopListViewSet(
    CodedErrors,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    GenericViewSet[StoppedNumber],
):
    """Numbers that nothing is sent to. An address names one by its id, never by its digits."""

    queryset = StoppedNumber.objects.all()
    serializer_class = StoppedNumberSerializer
    permission_classes = [MessagePermission]
    parser_classes = [StrictJSONParser]
    pagination_class = MessagePagination
    filter_backends: list[Any] = []
    lookup_value_converter = "str"  # anything but an id gets this API's 404, not the project's page

    @property
    def required_permission(self) -> str:
        """The permission that the current request needs."""
        return NEEDED.get(self.request.method or "", SEE)

    def get_throttles(self) -> list[BaseThrottle]:
        """Limit changes of the list, in addition to the project's throttles."""
        own = [CreateThrottle()] if self.request.method in NEEDED else []
        return [*super().get_throttles(), *own]

    @sensitive_variables()
    def create(self, request: Request) -> Response:
        """Add numbers and cancel the messages that wait for them.

        Answer 201 with both counts, or 200 if all of the numbers were on the list.
        """
        wanted = NumbersToStopSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        if faults := number_faults(wanted.validated_data["numbers"]):
            return Response({"numbers": faults}, status.HTTP_400_BAD_REQUEST)
        stopped = stop(**wanted.validated_data, by=cast("AbstractBaseUser", request.user))
        code = status.HTTP_201_CREATED if stopped.added else status.HTTP_200_OK
        return Response(StoppedSerializer(stopped).data, code)
