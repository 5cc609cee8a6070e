"""Write the messages of a confirmed list, once, and cancel those still pending.

The rows of the file are read again at each step, so that a long list takes little memory.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from django.db import router, transaction
from django.views.decorators.debug import sensitive_variables

from ..choices import Status
from ..models import (
    PASSING,
    ROWS_PER_STATEMENT,
    SmsMailing,
    SmsMessage,
    chunked,
    wake_up_after_commit,
)
from ..outbox import database_time, default_expiry, insert_messages, lock_numbers
from .preview import clean_common, entries, recently

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser


@sensitive_variables()
def confirm(mailing: SmsMailing, *, by: AbstractBaseUser, leave_out_recent: bool) -> int | None:
    """Write the messages of the list, all or none, and empty its file. Return their number.

    Return ``None``, and write nothing, if the list was confirmed or forgotten meanwhile. Raises
    ``ValidationError`` if the list cannot be read or sent, as after its expiry. If its ``send_at``
    has passed, that field has the error: set another time, or ``None`` for now.
    """
    alias = router.db_for_write(SmsMailing)
    rows = SmsMailing.objects.using(alias).filter(pk=mailing.pk)
    with transaction.atomic(using=alias):
        if not rows.confirm(by=by):
            return None
        lock_numbers(filter(None, map(attrgetter("number"), entries(mailing))))
        shared = _shared_fields(mailing, by)
        written = 0
        for chunk in chunked(filter(attrgetter("is_good"), entries(mailing))):
            recent = recently(mailing, chunk) if leave_out_recent else set()
            new = [
                SmsMessage(number=entry.number, text=entry.text, segments=entry.segments, **shared)
                for entry in chunk
                if (entry.number, entry.text) not in recent
            ]
            insert_messages(new, using=alias)
            written += len(new)
        rows.update(file=b"", written=written, send_at=mailing.send_at)
        wake_up_after_commit(alias)
    return written


def _shared_fields(mailing: SmsMailing, by: AbstractBaseUser) -> dict[str, Any]:
    """Return the fields that all messages of the mailing share."""
    now = database_time()
    own = {"mailing_id": mailing.pk, "tag": mailing.tag, "created_by_id": by.pk}
    fields = clean_common(mailing, past="refuse") | own
    fields.setdefault("send_at", now)
    fields.setdefault("expires_at", default_expiry(fields["send_at"]))
    return fields | {"due_at": fields["send_at"], "created_at": now}


def cancel(mailing: SmsMailing, *, by: AbstractBaseUser) -> int:
    """Cancel the pending messages of the mailing and return their number.

    Each chunk is a transaction of its own, so a locked database may leave some to another call.
    It raises only if it cancelled none. Messages claimed meanwhile are sent.
    """
    alias, count = router.db_for_write(SmsMessage), 0
    pending = messages(mailing).filter(status=Status.PENDING).order_by("pk")
    while pks := list(pending.values_list("pk", flat=True)[:ROWS_PER_STATEMENT]):
        try:
            with transaction.atomic(using=alias):
                count += SmsMessage.objects.filter(pk__in=pks).cancel(by=by)
        except PASSING:
            if not count:
                raise
            break
    return count


def messages(mailing: SmsMailing) -> Any:
    """Return the messages of the mailing: those that it wrote, whatever their tag."""
    return SmsMessage.objects.for_write().filter(mailing=mailing)
