"""Delete old messages that have ended, or only their texts, and old batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.db import router, transaction
from django.db.models import Exists, OuterRef, QuerySet

from .. import events
from ..conf import conf, configured_webhooks, parse_duration
from ..models import (
    RETRY_SECONDS,
    IdempotencyKey,
    SmsBatch,
    SmsMessage,
    WebhookConsumer,
    WebhookDelivery,
    chunked,
    db_now,
    retry_on_lock,
)
from .daily_totals import count_days

#: So that no transaction holds its locks for long.
ROWS_PER_TRANSACTION = 500


class Purged(NamedTuple):
    """The numbers of deleted messages, forgotten texts, deleted batches and deleted events.

    ``dropped`` events are deleted ones that a configured consumer never had.
    """

    messages: int = 0
    texts: int = 0
    batches: int = 0
    events: int = 0
    dropped: int = 0


def purge(older_than: timedelta, *, only_text: bool = False, dry_run: bool = False) -> Purged:
    """Delete ended messages that were written longer ago than this, and the batches of that time.

    An idempotency key of that time goes after the last of its messages. Events have an age of
    their own, ``MOBILON_SMS_EVENTS``.
    ``only_text``: empty the texts and delete nothing. ``dry_run``: only count. A batch stays as
    long as one of its messages, or while its outcome is not applied. Deleted messages stay in the
    daily totals.
    """
    before = db_now() - older_than
    ended = SmsMessage.objects.for_write().ended().filter(created_at__lt=before)
    if only_text:
        texts = ended.exclude(text="")
        return Purged(texts=texts.count() if dry_run else _in_chunks(texts, _forget_texts))
    if dry_run:
        kept = SmsMessage.objects.for_write().exclude(pk__in=ended.values("pk"))
        without = _batches_without(kept, before)
        return Purged(ended.count(), 0, without.count(), *events.count_old(_cursors()))
    # A day keeps the names of the tags that it was counted with.
    count_days()
    messages = _in_chunks(ended, _delete_messages)
    count_days()
    _in_chunks(IdempotencyKey.objects.for_write().filter(created_at__lt=before), _delete_keys)
    batches = _batches_without(SmsMessage.objects.for_write(), before)
    batch_count = _in_chunks(batches, _delete_batches)
    deleted = events.delete_old(_cursors())
    _forget_given_up()
    return Purged(messages, 0, batch_count, *deleted)


def _cursors() -> list[str]:
    """Return how far the configured consumers of webhooks have read the events."""
    names = configured_webhooks()
    return WebhookConsumer.objects.cursors(names) if names else []


def _forget_given_up() -> None:
    """Delete the events that were given up, once they are as old as the oldest event can be."""
    if conf.WEBHOOKS and conf.EVENTS is not None:
        rows = WebhookDelivery.objects.for_write().given_up()
        old = rows.filter(occurred_at__lt=db_now() - parse_duration(conf.EVENTS) - events.GRACE)
        retry_on_lock(old.delete, using=rows.db, seconds=RETRY_SECONDS)


def _batches_without(messages: QuerySet[SmsMessage], before: Any) -> QuerySet[SmsBatch]:
    """Return the applied batches of that time that have none of these messages."""
    batches = SmsBatch.objects.for_write().filter(created_at__lt=before, applied_at__isnull=False)
    return batches.filter(~Exists(messages.filter(batch=OuterRef("pk"))))


def _in_chunks(rows: QuerySet[Any], work: Callable[[list[Any]], int]) -> int:
    """Call ``work`` with the primary keys of each chunk of rows; return the sum of its results."""
    alias = router.db_for_write(rows.model)
    return sum(
        retry_on_lock(partial(work, pks), using=alias, seconds=RETRY_SECONDS)
        for pks in _chunks(rows)
    )


def _chunks(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """Yield the primary keys of the rows, oldest first, while the rows are deleted or changed.

    Each chunk is read from where the last one ended, so that rows that stay are not read again.
    """
    since: datetime | None = None
    done: set[Any] = set()  # rows of the moment ``since``
    while True:
        left = rows if since is None else rows.filter(created_at__gte=since).exclude(pk__in=done)
        oldest = left.order_by("created_at").values_list("created_at", "pk")
        chunk = list(oldest[:ROWS_PER_TRANSACTION])
        if not chunk:
            return
        yield [pk for _, pk in chunk]
        last = chunk[-1][0]
        done = {pk for at, pk in chunk if at == last} | (done if last == since else set())
        since = last


def _delete_messages(pks: list[Any]) -> int:
    """Delete messages after a second look whether they have ended."""
    _total, by_model = SmsMessage.objects.for_write().filter(pk__in=pks).ended().delete()
    return by_model.get(SmsMessage._meta.label, 0)


def _delete_keys(pks: list[Any]) -> int:
    """Delete the keys that have no message left: until then, a retry must find it and not write."""
    keys = IdempotencyKey.objects.for_write().filter(pk__in=pks)
    guids = dict(keys.values_list("pk", "guids"))
    left: set[str] = set()
    for chunk in chunked(guid for of_key in guids.values() for guid in of_key):
        found = SmsMessage.objects.for_write().filter(guid__in=chunk)
        left.update(map(str, found.values_list("guid", flat=True)))
    unused = [pk for pk, of_key in guids.items() if left.isdisjoint(of_key)]
    return keys.filter(pk__in=unused).delete()[0]


def _delete_batches(pks: list[Any]) -> int:
    batches = SmsBatch.objects.for_write().filter(pk__in=pks)
    messages = SmsMessage.objects.filter(batch=OuterRef("pk"))
    with transaction.atomic(using=batches.db):
        return batches.filter(~Exists(messages)).delete()[0]


def _forget_texts(pks: list[Any]) -> int:
    return SmsMessage.objects.for_write().filter(pk__in=pks).ended().forget()
