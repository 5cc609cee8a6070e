"""Deliver events to one consumer, under the lease of its row.

A step reads a few events, makes their requests, and records the results and the new cursor in one
transaction. A worker that is killed in between leaves the cursor, so that the next one repeats the
step: at least once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.db import Error, router

from .. import events
from ..choices import WebhookError
from ..conf import Webhook
from ..exceptions import CursorExpired
from ..gateway import Call, uptime
from ..models import (
    FAILING_AFTER,
    LEASE,
    RETRY_SECONDS,
    LeaseLost,
    WebhookConsumer,
    WebhookDelivery,
    db_now,
    retry_on_lock,
    waiting_guids,
)
from .answers import Answer
from .ordered_requests import request_in_order
from .results import changes, failures_after, log_given_up, still_to_deliver
from .signed_request import body_of, headers_of

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds for a whole request, from the DNS lookup to the headers of the answer.
TIMEOUT = 10.0
#: Most requests to one consumer at once.
CONCURRENCY = 8
#: Most events of a step.
STEP = 20
#: The length of a lease, and after how much of it it is renewed, in seconds.
LEASE_SECONDS = LEASE.total_seconds()
RENEW_AFTER = LEASE_SECONDS / 3

Stopping = Callable[[], bool]


def deliver(webhook: Webhook, *, stopping: Stopping) -> None:
    """Deliver what is due to a consumer, until nothing is left, it fails, or ``stopping``.

    Does nothing while another worker delivers to it. While nothing is due, nothing is written.
    """
    consumer = _known(webhook.name)
    if not consumer.may_be_tried() or not _anything_due(consumer):
        return
    began = uptime()
    if (taken := _retried(partial(WebhookConsumer.objects.take, webhook.name))) is None:
        return
    try:
        _Delivery(webhook, taken, began, stopping).run()
    except LeaseLost:
        logger.warning("webhook.overtaken consumer=%s", webhook.name)
    finally:
        with suppress(Error):  # the lease also ends after its time
            WebhookConsumer.objects.release(taken)


def _known(name: str) -> WebhookConsumer:
    """Return the consumer. A new one gets the events from now on."""
    consumers = WebhookConsumer.objects
    while (consumer := consumers.peek(name)) is None:
        consumers.for_write().get_or_create(name=name, defaults={"cursor": events.newest()})
    return consumer


def _anything_due(consumer: WebhookConsumer) -> bool:
    deliveries = WebhookDelivery.objects.for_write().of(consumer)
    if (deliveries.waiting() if consumer.is_failing else deliveries.due()).exists():
        return True
    try:
        return bool(events.read(after=consumer.cursor, limit=1).events)
    except CursorExpired:
        return True


class _Delivery:
    """Steps of a delivery to a consumer whose lease this worker has."""

    def __init__(
        self, webhook: Webhook, consumer: WebhookConsumer, began: float, stopping: Stopping
    ) -> None:
        """``began`` is the time just before the lease was taken, by ``uptime()``."""
        # A process that only writes messages must not wait for requests.
        from .http_post import Poster  # noqa: PLC0415

        self.webhook = webhook
        self.consumer = consumer
        self.began = self.renewed = began
        self.stopping = stopping
        self.poster = Poster(webhook.url, most=CONCURRENCY)
        self.are_new = True  # the events of this step are tried for the first time
        self.ended = False  # the consumer is left alone for a while

    def run(self) -> None:
        """Retry what is due and read new events, in turn, until nothing is left."""
        try:
            self._give_up_overdue()
            while not self.stopping() and not self.ended and self._steps():
                pass
        finally:
            self.poster.close()

    def _steps(self) -> bool:
        """Return whether there was anything to do."""
        rows = WebhookDelivery.objects.for_write().of(self.consumer)
        if self.consumer.is_failing:
            # New events first: it may be only one kind of event that the consumer fails for.
            return self._read() or self._retry(rows.first_of_messages()[:1])
        retried = self._retry(rows.due()[:STEP])
        return (not self.ended and self._read()) or retried

    def _retry(self, rows: Iterable[WebhookDelivery]) -> bool:
        deliveries = list(rows)
        if deliveries:
            self._deliver(deliveries, held=set(), cursor=self.consumer.cursor)
        return bool(deliveries)

    def _read(self) -> bool:
        try:
            page = events.read(after=self.consumer.cursor, limit=STEP)
        except CursorExpired:
            return self._begin_anew()
        if not page.events:
            return False
        wanted = [
            WebhookDelivery.of_event(self.consumer, event)
            for event in page.events
            if event.type in self.webhook.types
        ]
        held = waiting_guids(self.consumer, {row.guid for row in wanted}) if wanted else set()
        self._deliver(wanted, held=held, cursor=page.cursor)
        return True

    def _deliver(
        self, deliveries: Sequence[WebhookDelivery], *, held: Collection[UUID], cursor: str
    ) -> None:
        """Make the requests of a step, but none for the held messages, and record it."""
        self.are_new = not any(row.pk for row in deliveries)
        answers = request_in_order(
            [row for row in deliveries if row.guid not in held],
            self._prepare,
            may_start=self._may_start,
            after_each=self._keep_lease,
        )
        self._record(deliveries, answers, cursor)

    def _prepare(self, delivery: WebhookDelivery) -> tuple[Call, Callable[[], Answer]]:
        body = body_of(delivery)
        headers = headers_of(self.webhook, delivery.webhook_id, body, self._now())
        call = Call(TIMEOUT, lease_end=self.renewed + LEASE_SECONDS)
        return call, partial(self.poster.post, body, headers, call)

    def _now(self) -> datetime:
        """Return the time of the database."""
        return self.consumer.now + timedelta(seconds=uptime() - self.began)

    def _may_start(self, answers: Sequence[Answer], under_way: int) -> bool:
        """Return whether another request may begin; one at a time while the consumer fails."""
        if self.stopping() or any(answer.error == WebhookError.GONE for answer in answers):
            return False
        if failures_after(self.consumer, answers, are_new=self.are_new) >= FAILING_AFTER:
            return not answers and not under_way
        return under_way < CONCURRENCY

    def _keep_lease(self) -> None:
        if uptime() - self.renewed > RENEW_AFTER:
            self._renew(partial(WebhookConsumer.objects.renew, self.consumer))

    def _renew(self, statement: Callable[[], None]) -> None:
        """Run a statement that renews the lease."""
        began = uptime()
        _retried(statement)
        self.renewed = began

    def _record(
        self,
        deliveries: Sequence[WebhookDelivery],
        answers: Mapping[int, Answer],
        cursor: str,
    ) -> None:
        """Record the answers, the events that are still to be delivered, and the cursor."""
        consumer, was_failing = self.consumer, self.consumer.is_failing
        kept = still_to_deliver(consumer, deliveries, answers, self._now())
        values = changes(consumer, [*answers.values()], are_new=self.are_new) | {"cursor": cursor}
        is_back = was_failing and not consumer.is_failing
        replaced = [row.pk for row in deliveries if row.pk]
        for row in kept:
            row.pk = None
        record = partial(WebhookConsumer.objects.record, consumer, kept=kept, replaced=replaced)
        self._renew(partial(record, is_back=is_back, **values))
        consumer.cursor = cursor
        self.ended = bool(values.get("next_try_at") or values.get("stopped_at"))

    def _begin_anew(self) -> bool:
        """Go on with the oldest event, because those after the cursor were deleted."""
        lost = {"last_error": WebhookError.EXPIRED, "last_http_code": None}
        logger.error("webhook.missed consumer=%s", self.consumer.name)
        self.consumer.cursor = events.oldest()
        renew = partial(WebhookConsumer.objects.renew, self.consumer, last_error_at=db_now())
        self._renew(partial(renew, cursor=self.consumer.cursor, **lost))
        return True

    def _give_up_overdue(self) -> None:
        """Give up what waited for a failing consumer for too long."""
        if self.consumer.is_failing:
            rows = WebhookDelivery.objects.for_write().of(self.consumer)
            log_given_up(self.consumer, _retried(rows.give_up_overdue))


def _retried(function: Callable[[], T]) -> T:
    using = router.db_for_write(WebhookConsumer)
    return retry_on_lock(function, using=using, seconds=RETRY_SECONDS)
