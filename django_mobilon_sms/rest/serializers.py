"""Messages as other systems see them."""

from __future__ import annotations

from datetime import timezone

from django.utils.functional import cached_property
from rest_framework import ISO_8601, serializers

from ..choices import ErrorCode, Priority
from ..models import SmsMessage
from .permissions import SEE_TEXT


class MessageSerializer(serializers.ModelSerializer[SmsMessage]):
    """A message, read only: times in UTC, ``text`` only for those who may see texts."""

    text = serializers.SerializerMethodField()
    priority = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()

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
        # Whatever DATETIME_FORMAT and TIME_ZONE the project sets.
        extra_kwargs = {
            name: {"format": ISO_8601, "default_timezone": timezone.utc}
            for name in fields
            if name.endswith("_at")
        }

    @cached_property
    def shows_text(self) -> bool:
        """Whether the user may see texts; asked for once, not for each message."""
        return bool(self.context["request"].user.has_perm(SEE_TEXT))

    def get_text(self, message: SmsMessage) -> str | None:
        """The text, or nothing for those who may not see it."""
        return message.text if self.shows_text else None

    def get_priority(self, message: SmsMessage) -> str:
        """Its name."""
        return Priority(message.priority).name.lower()

    def get_error(self, message: SmsMessage) -> str:
        """The sentence of ``error_code``."""
        return str(ErrorCode(message.error_code).label) if message.error_code else ""
