"""Copy failed, expired and cancelled messages into new ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID, uuid5

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import router, transaction

from ...models import SmsMessage, retry_on_lock
from ...outbox import copy_message
from . import catalogue


class Copies(NamedTuple):
    """The numbers of messages copied, and of those that today's rules refuse."""

    written: int
    refused: int


def copy_all(pks: Sequence[int], *, submission_id: UUID, by: AbstractBaseUser) -> Copies:
    """Copy these messages, due now. A repeated ``submission_id`` copies none of them again."""
    attempt = partial(_copy_all, pks, submission_id, by)
    alias = router.db_for_write(SmsMessage)
    return retry_on_lock(attempt, using=alias, seconds=catalogue.PATIENCE)


def _copy_all(pks: Sequence[int], submission_id: UUID, by: AbstractBaseUser) -> Copies:
    rows = catalogue.COPY.eligible(SmsMessage.objects.for_write().filter(pk__in=pks))
    originals, copied, refused = list(rows.order_by("pk")), [], 0
    with transaction.atomic(using=rows.db):
        for original in originals:
            try:
                # The guid depends on the form, so a form sent twice writes one copy.
                guid = uuid5(submission_id, str(original.guid))
                if copy_message(original, created_by=by, guid=guid).was_written:
                    copied.append(original.pk)
            except ValidationError:
                refused += 1
        if copied:
            catalogue.record(catalogue.COPY, rows.filter(pk__in=copied), by)
    return Copies(len(copied), refused)
