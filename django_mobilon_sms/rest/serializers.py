"""Messages as other systems see them."""

from __future__ import annotations

from datetime import timezone
from typing import Any

from django.utils.functional import cached_property
from rest_framework import ISO_8601, serializers

from ..choices import ErrorCode, Priority, Resolution
from ..models import SmsMessage
from .permissions import SEE_TEXT

#: Whatever DATETIME_FORMAT and TIME_ZONE the project sets.
IN_UTC = {"format": ISO_8601, "default_timezone": timezone.utc}


class PriorityField(serializers.ChoiceField):
    """A priority by its name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__([priority.name.lower() for priority in Priority], **kwargs)

    def to_representation(self, value: Any) -> str:
        """Its name."""
        return Priority(value).name.lower()


class MessageSerializer(serializers.ModelSerializer[SmsMessage]):
    """A message, read only: times in UTC, its text only for those who may see texts."""

    text = serializers.SerializerMethodField()
    priority = PriorityField(read_only=True)
    error_code = serializers.ChoiceField(ErrorCode.choices, allow_blank=True, read_only=True)
    error = serializers.SerializerMethodField()
    resolution = serializers.ChoiceField(Resolution.choices, allow_blank=True, read_only=True)

    class Meta:
        model = SmsMessage
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
        """Whether the user may see texts; asked for once, not for each message."""
        return bool(self.context["request"].user.has_perm(SEE_TEXT))

    def get_text(self, message: SmsMessage) -> str | None:
        """The text, or nothing for those who may not see it."""
        return message.text if self.shows_text else None

    def get_error(self, message: SmsMessage) -> str:
        """The error in a sentence."""
        return str(ErrorCode(message.error_code).label) if message.error_code else ""
