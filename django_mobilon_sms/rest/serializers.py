"""Messages as other systems see and write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from ..choices import ErrorCode, Priority
from ..models import SmsMessage
from .permissions import SEE_TEXT

PRIORITIES = {priority.name.lower(): priority.value for priority in Priority}
#: What a client may name; the rest is the program's.
WRITABLE = (
    "guid",
    "number",
    "text",
    "source",
    "send_at",
    "expires_at",
    "priority",
    "tag",
)


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
        extra_kwargs = {
            name: {"default_timezone": timezone.utc} for name in fields if name.endswith("_at")
        }

    def get_text(self, message: SmsMessage) -> str | None:
        """The text, or nothing for those who may not see it."""
        return message.text if self.context["request"].user.has_perm(SEE_TEXT) else None

    def get_priority(self, message: SmsMessage) -> str:
        """Its name."""
        return Priority(message.priority).name.lower()

    def get_error(self, message: SmsMessage) -> str:
        """The sentence of ``error_code``."""
        return str(ErrorCode(message.error_code).label) if message.error_code else ""


def read_row(given: object) -> dict[str, Any]:
    """What one object of a request names, as ``send_sms()`` takes it.

    Types only; the outbox validates the values. Raises ``ValidationError`` by field.
    """
    if not isinstance(given, Mapping):
        raise ValidationError(
            {
                "non_field_errors": ValidationError(
                    _("Give a message as an object."), code="not_an_object"
                )
            }
        )
    errors = {}
    row = {}
    for name, value in given.items():
        try:
            row[name] = _read(name, value)
        except ValidationError as error:
            errors[name] = error
    if errors:
        raise ValidationError(errors)
    return {"number": None, "text": None} | row


def _read(name: str, value: object) -> object:
    if name not in WRITABLE:
        raise ValidationError(
            _("A message has no such field, or the program alone writes it."),
            code="unknown_field",
        )
    if name in ("send_at", "expires_at") and value is not None:
        return _read_time(value)
    if name == "priority" and value is not None:
        if not isinstance(value, str) or value not in PRIORITIES:
            raise ValidationError(_("Choose high, normal or low."), code="invalid")
        return PRIORITIES[value]
    if name == "guid" and not isinstance(value, (str, type(None))):
        raise ValidationError(_("Give the guid as a UUID."), code="invalid")
    return value


def _read_time(value: object) -> datetime:
    try:
        time = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None:
        raise ValidationError(
            _("Give an ISO 8601 time, for example 2026-01-31T09:00:00Z."), code="invalid"
        )
    return time
