"""A row that is valid, and the errors of rows that are not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError

from django_mobilon_sms.exceptions import InvalidRows
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.outbox import send_many, send_sms

GOOD = {"number": "8 (913) 529-29-26", "text": "Ваш заказ готов"}
GUID = UUID("5f0c1c1e-6c1f-4a0e-9d8a-0f4b7a5f1c11")
LATER = datetime(2900, 1, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
# Looks like nothing else, so that it can be sought in what was printed.
MARK = "Zq7Zq7"


def codes(error: ValidationError) -> dict[str, list[str | None]]:
    return {field: [one.code for one in found] for field, found in error.error_dict.items()}


def refused(**fields) -> dict[str, list[str | None]]:
    with pytest.raises(ValidationError) as raised:
        send_sms(**GOOD | fields)
    assert SmsMessage.objects.count() == 0
    return codes(raised.value)


def refused_rows(rows) -> InvalidRows:
    with pytest.raises(InvalidRows) as raised:
        send_many(rows)
    return raised.value


#: Texts that a driver, a statement or a format of a list could spoil.
ODD_TEXTS = [
    "один\nдва\n\nтри\n",
    "tab\tand\ttab\t",
    "\\ \\n \\t \\N \\\\ \\u0041 \\.",
    "'одинарные' \"двойные\" `обратные` ''",
    "{a,b} {{NAME}} [1] (2) %s %(x)s ? :a $1 %",
    "NULL",
    "<b>&amp;</b> -- ; /* */",
    "«ёлка» — №1 🎄 e\u0301 \u200b\xa0\u2028",
    " пробелы по краям ",
]


def columns(message: SmsMessage) -> dict[str, Any]:
    """Return what the database has of a message, without what is its own or of its moment."""
    fields = SmsMessage.objects.filter(pk=message.pk).values().get()
    moment = fields["created_at"]
    own = {"id", "guid", "created_at"}
    return {n: "now" if v == moment else v for n, v in fields.items() if n not in own}
