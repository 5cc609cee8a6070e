"""Sending to a list: what a file would become, and writing it once.

The rows of the file are read anew wherever they are needed, so that a long list takes little
memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import router, transaction
from django.views.decorators.debug import sensitive_variables

from ..choices import Status
from ..models import GatewayState, SmsMailing, SmsMessage, has
from ..outbox import (
    default_expiry,
    insert_alike,
)
from ..signals import wake_up_after_commit

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
from .preview import CHUNK, chunks, clean_common, entries, recent_recipients


@sensitive_variables()
def confirm(mailing: SmsMailing, *, by: AbstractBaseUser, leave_out_recent: bool) -> int | None:
    """Write the messages of the list, once, and forget its file; how many were written.

    ``None`` if it was confirmed or forgotten meanwhile: then nothing is written. All or nothing:
    raises ``ValidationError`` if the list can not be read, or what it has in common is not right
    any more, as an expiry that has passed.
    """
    alias = router.db_for_write(SmsMailing)
    rows = SmsMailing.objects.using(alias).filter(pk=mailing.pk)
    with transaction.atomic(using=alias):
        if not rows.confirm(by=by):
            return None
        prototype = _prototype(mailing, by)
        good = (each for each in entries(mailing) if not (each.reason or each.is_duplicate))
        written = 0
        for chunk in chunks(good):
            recent = recent_recipients(chunk) if leave_out_recent else set()
            wanted = [
                {"number": entry.number, "text": entry.text, "segments": entry.segments}
                for entry in chunk
                if (entry.number, entry.text) not in recent
            ]
            written += insert_alike(prototype, wanted, using=alias) if wanted else 0
        rows.update(file=b"", written=written)
        wake_up_after_commit(alias)
    return written


def _prototype(mailing: SmsMailing, by: AbstractBaseUser) -> SmsMessage:
    """A message with what all of the mailing have in common. Raises ``ValidationError``."""
    now = GatewayState.objects.current().now
    cleaned = clean_common(mailing, now) | {"tag": mailing.tag, "created_by_id": by.pk}
    cleaned.setdefault("send_at", now)
    cleaned.setdefault("expires_at", default_expiry(cleaned["send_at"]))
    return SmsMessage(**cleaned, due_at=cleaned["send_at"], created_at=now)


def cancel(mailing: SmsMailing) -> int:
    """Take back what still waits of the mailing; how many messages will not be sent.

    Each chunk is a transaction of its own: what is claimed meanwhile goes out.
    """
    count = 0
    waiting = messages(mailing).filter(status=Status.PENDING).order_by("pk")
    while pks := list(waiting.values_list("pk", flat=True)[:CHUNK]):
        alias = router.db_for_write(SmsMessage)
        with transaction.atomic(using=alias):
            count += SmsMessage.objects.filter(pk__in=pks).cancel()
    return count


def messages(mailing: SmsMailing) -> Any:
    """What was written of the mailing."""
    return SmsMessage.objects.for_write().filter(has("tag", mailing.tag))
