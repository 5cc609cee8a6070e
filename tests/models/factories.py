"""Rows in any state, for the tests of the models."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from uuid import UUID

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import SmsBatch, SmsMessage

HOUR = timedelta(hours=1)
PAST = datetime(2020, 1, 1, tzinfo=timezone.utc)
FUTURE = datetime(2900, 1, 1, tzinfo=timezone.utc)
GUID = UUID("5f0c1c1e-6c1f-4a0e-9d8a-0f4b7a5f1c11")
ACCEPTED = {"gateway_id": "58adc4b8", "accepted_at": PAST}


def message(**fields) -> SmsMessage:
    """Insert a row with any values, however it would come to have them."""
    filled = {"number": "+79135292926", "source": "89234560000", "text": "Ваш заказ готов"}
    row = SmsMessage(**filled | {"segments": 1} | fields)
    row.save()
    return row


def batch(**fields) -> SmsBatch:
    return SmsBatch.objects.create(**{"worker": "w:1", "lease_until": FUTURE} | fields)


def rows(*fields) -> list:
    return list(SmsMessage.objects.order_by("pk").values_list(*fields))


def in_status(status: Status, **fields) -> SmsMessage:
    """Insert a row with the values that every message in this status has."""
    needs = {
        Status.SENDING: lambda: {"batch": batch()},
        Status.ACCEPTED: lambda: ACCEPTED | {"batch": batch(next_check_at=FUTURE)},
        Status.SENT: lambda: ACCEPTED | {"batch": batch(next_check_at=FUTURE)},
        Status.DELIVERED: lambda: ACCEPTED,
    }
    return message(status=status, **needs.get(status, dict)() | fields)
