"""The stop list over REST: see it, add numbers to it, take one off it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from ..models import StoppedNumber
from ..outbox import stop
from .errors import CodedErrors, fault
from .pagination import MessagePagination
from .parsing import StrictJSONParser
from .permissions import MessagePermission
from .serializers import IN_UTC
from .throttling import CreateThrottle

#: How many numbers one request may add.
MAX_NUMBERS = 1000
NEEDED = {
    "POST": "mobilon_sms.add_stoppednumber",
    "DELETE": "mobilon_sms.delete_stoppednumber",
}
SEE = "mobilon_sms.view_stoppednumber"


class StoppedNumberSerializer(serializers.ModelSerializer[StoppedNumber]):
    """A number on the list, read only; the time in UTC."""

    class Meta:
        model = StoppedNumber
        fields = ["id", "number", "note", "created_at"]
        read_only_fields = fields
        extra_kwargs = {"created_at": IN_UTC}


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
    lookup_value_converter = "str"  # what is no id gets this API's 404, not the project's page

    @property
    def required_permission(self) -> str:
        """The permission that the current request needs."""
        return NEEDED.get(self.request.method or "", SEE)

    def get_throttles(self) -> list[BaseThrottle]:
        """Changing the list is limited, besides what the project limits."""
        own = [CreateThrottle()] if self.request.method in NEEDED else []
        return [*super().get_throttles(), *own]

    @sensitive_variables("numbers", "note")
    def create(self, request: Request) -> Response:
        """Add numbers and cancel what waits for them.

        201 with how many of each, or 200 if all of the numbers were on the list.
        """
        try:
            numbers, note = _read(request.data)
            stopped = stop(numbers, note=note, by=cast("AbstractBaseUser", request.user))
        except ValidationError as error:
            found = error.error_dict if hasattr(error, "error_dict") else {"numbers": [error]}
            faults = {
                name: [fault(str(one.code), one.messages[0]) for one in each]
                for name, each in found.items()
            }
            return Response(faults, status.HTTP_400_BAD_REQUEST)
        code = status.HTTP_201_CREATED if stopped.added else status.HTTP_200_OK
        return Response(stopped._asdict(), code)


@sensitive_variables()
def _read(given: object) -> tuple[list[str], str]:
    """The numbers and the note. Raises ``ValidationError`` by field."""
    if not isinstance(given, Mapping):
        text = _("Give an object with numbers.")
        raise ValidationError({"non_field_errors": ValidationError(text, code="not_an_object")})
    unknown = ValidationError(_("There is no such field."), code="unknown_field")
    faults: dict[str, Any] = {
        str(name): unknown for name in given if name not in ("numbers", "note")
    }
    numbers, note = given.get("numbers"), given.get("note", "")
    if not isinstance(numbers, list) or not 1 <= len(numbers) <= MAX_NUMBERS:
        text = _("Give a list of 1 to %(most)d numbers.")
        faults["numbers"] = ValidationError(text, code="length", params={"most": MAX_NUMBERS})
    if not isinstance(note, str) or len(note) > 200 or (note and not note.isprintable()):
        text = _("Write a note of at most 200 printable characters.")
        faults["note"] = ValidationError(text, code="invalid")
    if faults:
        raise ValidationError(faults)
    return cast("list[str]", numbers), cast("str", note)
