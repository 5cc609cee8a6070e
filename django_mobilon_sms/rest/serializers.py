"""Messages as other systems see them, and what they send to act on one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timezone
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from rest_framework import ISO_8601, serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import SkipField, empty

from ..choices import ErrorCode, Priority, Resolution, Status
from ..models import SmsMessage
from ..phone_numbers import ANY_NUMBER, normalize_number
from .permissions import SEE_TEXT

#: Whatever DATETIME_FORMAT and TIME_ZONE the project sets.
IN_UTC = {"format": ISO_8601, "default_timezone": timezone.utc}
#: How many guids one request may search for: as many as a page holds.
MAX_GUIDS = 1000
PRIORITIES = {priority.name.lower(): priority.value for priority in Priority}


class AsSent(serializers.Field[Any, Any, Any, Any]):
    """A field that passes its value on as the client sent it; it only describes the schema."""

    def run_validation(self, data: Any = empty) -> Any:
        """Return the value."""
        return data


class EnumField(serializers.ChoiceField):
    """A value of an enumeration in an answer; the enumeration may grow.

    The enumeration has a name, which is that of its schema.
    """

    def __init__(self, name: str, choices: Sequence[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(choices, read_only=True, **kwargs)
        self.name = name


class PriorityField(serializers.ChoiceField):
    """A priority by its name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(list(PRIORITIES), **kwargs)

    def to_internal_value(self, data: object) -> Any:
        """Return the priority of this name. Raise ``ValidationError``."""
        if not isinstance(data, str) or data not in PRIORITIES:
            raise ValidationError(_("Choose high, normal or low."), code="invalid")
        return PRIORITIES[data]

    def to_representation(self, value: Any) -> str:
        """Return the name of the priority."""
        return Priority(value).name.lower()


class ExactSerializer(serializers.Serializer[Any]):
    """A JSON object with these fields and no other."""

    not_an_object = _("Give an object, or no body at all.")

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        """Treat ``null`` as any other value that is not an object."""
        return False, data

    def to_internal_value(self, data: Any) -> Any:
        """Return the values of the fields. Raise ``ValidationError`` also for unknown fields."""
        if not isinstance(data, Mapping):
            faults: dict[str, Any] = {"non_field_errors": [self.not_an_object]}
            raise serializers.ValidationError(faults, code="not_an_object")
        unknown = ErrorDetail(str(_("There is no such field.")), code="unknown_field")
        faults = {name: [unknown] for name in data if name not in self.fields}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            faults |= cast("dict[str, Any]", error.detail)
        if faults:
            raise serializers.ValidationError(faults)
        return values


class NumberField(AsSent, serializers.CharField):
    """A phone number as people type it."""

    def run_validation(self, data: Any = empty) -> str:
        """Return the number as it is stored. Raise ``ValidationError``."""
        if data is empty and not self.required:
            raise SkipField
        return normalize_number(None if data is empty else data, allowed=ANY_NUMBER)


class NumberSerializer(ExactSerializer):
    """The number to search for."""

    not_an_object = _("Give an object with a number.")
    number = NumberField(help_text="As people type it.")


class GuidsField(serializers.ListField):
    """A list of guids."""

    def run_validation(self, data: Any = empty) -> Any:
        """Return the list. Raise ``ValidationError`` for a wrong length or what is no guid."""
        if data is empty:
            raise SkipField
        if not isinstance(data, list) or not 1 <= len(data) <= MAX_GUIDS:
            message = _("Give a list of 1 to %(most)d guids.")
            raise ValidationError(message, code="length", params={"most": MAX_GUIDS})
        return [_read_guid(index, value) for index, value in enumerate(data)]


class SearchSerializer(ExactSerializer):
    """The messages to find: those to a number, or those with these guids."""

    not_an_object = _("Give an object with a number or with guids.")
    number = NumberField(required=False, help_text="As people type it.")
    guids = GuidsField(
        source="guid__in",
        required=False,
        child=serializers.UUIDField(),
        min_length=1,
        max_length=MAX_GUIDS,
    )

    def validate(self, attrs: Any) -> Any:
        """Return the lookup. Raise ``ValidationError`` for none and for both."""
        if len(attrs) != 1:
            raise serializers.ValidationError(_("Give either a number or guids."), code="one_of")
        return attrs


class NoFieldsSerializer(ExactSerializer):
    """An empty object."""


class ConsentField(AsSent, serializers.ChoiceField):
    """A field whose only value is true."""


class AcceptDuplicateSerializer(ExactSerializer):
    """The consent to a resend."""

    accept_duplicate = ConsentField(choices=[True])

    def validate(self, attrs: Any) -> Any:
        """Return the fields. Raise ``ValidationError`` without the consent."""
        if attrs["accept_duplicate"] is not True:
            message = _('The person may get it twice. Send {"accept_duplicate": true} to accept.')
            raise serializers.ValidationError({"accept_duplicate": [message]}, code="required")
        return attrs


class MessageSerializer(serializers.ModelSerializer[SmsMessage]):
    """A message. Times are in UTC. The text is only for those who may see texts."""

    text = serializers.SerializerMethodField()
    status = EnumField("Status", Status.choices)
    priority = PriorityField(read_only=True)
    error_code = EnumField("ErrorCode", ErrorCode.choices, allow_blank=True)
    error = serializers.SerializerMethodField()
    resolution = EnumField("Resolution", Resolution.choices, allow_blank=True)

    class Meta:
        model = SmsMessage
        ref_name = "SmsMessage"
        fields = [
            "guid",
            "number",
            "source",
            "text",
            "status",
            "priority",
            "send_at",
            "expires_at",
            "segments",
            "attempts",
            "resends",
            "gateway_id",
            "gateway_status",
            "error_code",
            "error",
            "resolution",
            "tag",
            "created_at",
            "accepted_at",
            "sent_at",
            "delivered_at",
        ]
        read_only_fields = fields
        extra_kwargs = {name: IN_UTC for name in fields if name.endswith("_at")}

    @cached_property
    def shows_text(self) -> bool:
        """Whether the user may see texts, asked for once and not for each message."""
        return bool(self.context["request"].user.has_perm(SEE_TEXT))

    def get_text(self, message: SmsMessage) -> str | None:
        """The text, or null for those who may not see it."""
        return message.text if self.shows_text else None

    def get_error(self, message: SmsMessage) -> str:
        """The error in a sentence."""
        return str(ErrorCode(message.error_code).label) if message.error_code else ""


class WrittenMessageSerializer(MessageSerializer):
    """A message, and whether this request wrote it."""

    is_new = serializers.BooleanField(
        source="was_written",
        read_only=True,
        help_text="True: this request wrote it. False: it existed before.",
    )

    class Meta(MessageSerializer.Meta):
        ref_name = "SmsWrittenMessage"
        fields = [*MessageSerializer.Meta.fields, "is_new"]
        read_only_fields = fields


def _read_guid(index: int, value: object) -> UUID:
    try:
        return UUID(value if isinstance(value, str) else "")
    except ValueError:
        message = _("Write the guid with the index %(index)d as a UUID.")
        raise ValidationError(message, code="invalid", params={"index": index}) from None
