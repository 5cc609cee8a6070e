"""Send failed, expired and cancelled messages again, as new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction

from ...models import SmsMessage
from ...outbox import copy_message, database_time, default_expiry
from ..database_busy import write
from . import catalogue

#: Between the two times of a message that is written without any.
MOMENT = timedelta(minutes=1)


class Copies(NamedTuple):
    """The number of messages copied, and the others counted by the reason of their refusal."""

    written: int
    refused: Counter[str]


def schedule(message: SmsMessage, now: datetime) -> dict[str, datetime]:
    """Return the times of the message that a copy keeps: those that are still to come.

    An expiry that the settings gave is left out, so that the copy gets one of its own.
    """
    times: dict[str, datetime | None] = {"send_at": message.send_at}
    if message.send_at > now or not _has_default_expiry(message):
        times["expires_at"] = message.expires_at
    return {name: time for name, time in times.items() if time is not None and time > now}


def _has_default_expiry(message: SmsMessage) -> bool:
    default = default_expiry(max(message.send_at, message.created_at))
    if default is None or message.expires_at is None:
        return message.expires_at is default
    # Within a moment, because a message that is due at once gets both times one after the other.
    return abs(message.expires_at - default) < MOMENT


def fields(message: SmsMessage) -> dict[str, Any]:
    """Return the values for a form that writes the message anew."""
    values = {name: getattr(message, name) for name in ("text", "source", "priority", "tag")}
    return values | {"numbers": message.number} | schedule(message, database_time())


def copy_all(pks: Sequence[int], *, submission_id: UUID, by: AbstractBaseUser) -> Copies:
    """Copy these messages. A repeated ``submission_id`` copies none of them again."""
    return write(partial(_copy_all, pks, submission_id, by), SmsMessage)


def _copy_all(pks: Sequence[int], submission_id: UUID, by: AbstractBaseUser) -> Copies:
    rows = catalogue.COPY.eligible(SmsMessage.objects.for_write().filter(pk__in=pks))
    originals, now = list(rows.order_by("pk")), database_time()
    copied: list[int] = []
    refused: Counter[str] = Counter()
    with transaction.atomic(using=rows.db):
        for original in originals:
            # The guid depends on the form, so a form sent twice writes one copy.
            guid, times = uuid5(submission_id, str(original.guid)), schedule(original, now)
            try:
                if copy_message(original, created_by=by, guid=guid, **times).was_written:
                    copied.append(original.pk)
            except ValidationError as error:
                refused[error.messages[0]] += 1
        if copied:
            catalogue.record(catalogue.COPY, rows.filter(pk__in=copied), by)
    return Copies(len(copied), refused)
