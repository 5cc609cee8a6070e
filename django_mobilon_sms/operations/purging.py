"""Keeping no longer than needed: ended messages, their texts, and the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.db import router, transaction
from django.db.models import Exists, OuterRef, QuerySet

from ..models import DATABASE_PATIENCE, SmsBatch, SmsMessage, db_now, retry_on_lock

#: Rows in one transaction.
AT_ONCE = 500


class Purged(NamedTuple):
    """How many rows were deleted, or only their texts."""

    messages: int = 0
    texts: int = 0
    batches: int = 0


def purge(older_than: timedelta, *, only_text: bool = False, dry_run: bool = False) -> Purged:
    """Delete the messages that were written longer ago and have ended, and the journal's batches.

    ``only_text`` forgets the texts and keeps the rows; ``dry_run`` only counts. A batch stays
    while a message that is kept went with it.
    """
    before = db_now() - older_than
    ended = SmsMessage.objects.for_write().ended().filter(created_at__lt=before)
    if only_text:
        texts = ended.exclude(text="")
        return Purged(texts=texts.count() if dry_run else _by_chunks(texts, _forget))
    if dry_run:
        kept = SmsMessage.objects.for_write().exclude(pk__in=ended.values("pk"))
        return Purged(messages=ended.count(), batches=_settled(before, kept).count())
    messages = _by_chunks(ended, _delete_messages)
    batches = _settled(before, SmsMessage.objects.for_write())
    return Purged(messages=messages, batches=_by_chunks(batches, _delete_batches))


def _settled(before: Any, messages: QuerySet[SmsMessage]) -> QuerySet[SmsBatch]:
    """Batches whose outcome reached their messages, and none of these messages is theirs."""
    theirs = messages.filter(batch=OuterRef("pk"))
    batches = SmsBatch.objects.for_write().filter(created_at__lt=before)
    return batches.filter(~Exists(theirs), applied_at__isnull=False)


def _by_chunks(rows: QuerySet[Any], work: Callable[[list[Any]], int]) -> int:
    """Do it to some rows at a time, the oldest first, each time in a transaction of its own."""
    alias = router.db_for_write(rows.model)
    return sum(
        retry_on_lock(partial(work, pks), using=alias, seconds=DATABASE_PATIENCE)
        for pks in _chunks(rows)
    )


def _chunks(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    since: datetime | None = None
    done: set[Any] = set()
    while True:
        # From where the last ended: what is left standing is not read again each time.
        left = rows if since is None else rows.filter(created_at__gte=since)
        found = list(
            left.exclude(pk__in=done)
            .order_by("created_at")
            .values_list("created_at", "pk")[:AT_ONCE]
        )
        if not found:
            return
        yield [pk for _, pk in found]
        last = found[-1][0]
        here = {pk for at, pk in found if at == last}
        done = done | here if last == since else here
        since = last


def _delete_messages(pks: list[Any]) -> int:
    """Those of them that have ended, still; what refers to them goes as Django has it."""
    rows = SmsMessage.objects.for_write().filter(pk__in=pks).ended()
    with transaction.atomic(using=rows.db):
        _all, each = rows.delete()
    return each.get(SmsMessage._meta.label, 0)


def _delete_batches(pks: list[Any]) -> int:
    batches = SmsBatch.objects.for_write().filter(pk__in=pks)
    theirs = SmsMessage.objects.filter(batch=OuterRef("pk"))
    with transaction.atomic(using=batches.db):
        return batches.filter(~Exists(theirs)).delete()[0]


def _forget(pks: list[Any]) -> int:
    return SmsMessage.objects.for_write().filter(pk__in=pks).ended().forget()
