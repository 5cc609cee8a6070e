"""Messages and claims as most tests need them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from django_mobilon_sms.models.batches import pack_guids, pack_reply
from django_mobilon_sms.outbox import send_sms


def write(count: int = 1, **fields: Any) -> list[SmsMessage]:
    """Write messages that are due now into the outbox."""
    fields = {"number": "+79135292926", "text": "Ваш заказ готов"} | fields
    return [send_sms(**fields) for _ in range(count)]


def claim(batch: SmsBatch, *messages: SmsMessage) -> int:
    """Take these messages, or all there are, into the batch."""
    found = messages or SmsMessage.objects.all()
    return SmsMessage.objects.claim(batch, [message.pk for message in found])


def asked_batch(**fields: Any) -> SmsBatch:
    """A batch whose messages are still asked for, though not now."""
    hour = timedelta(hours=1)
    given = {"worker": "elsewhere:1", "lease_until": db_now(), "next_check_at": db_now() + hour}
    return SmsBatch.objects.create(**given | fields)


def by_guid(messages: Iterable[Any]) -> dict[str, int]:
    """The keys of messages, as ``proofs.record()`` takes them."""
    return {str(message.guid): message.pk for message in messages}


def journal(guids: Sequence[UUID], reply: Iterable[tuple[UUID, Any, Any]] = ()) -> dict[str, Any]:
    """What the row of a closed batch keeps of its request and of the reply."""
    texts = [str(guid) for guid in guids]
    answers = pack_reply([(str(guid), *answer) for guid, *answer in reply], texts)
    return {
        "message_count": len(texts),
        "packed_guids": pack_guids(texts),
        "answers": answers,
    }
