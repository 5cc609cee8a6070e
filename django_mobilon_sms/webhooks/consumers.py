"""The state of every consumer, and a new delivery from an earlier time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from .. import events
from ..conf import Webhook, configured_webhooks
from ..models import WebhookConsumer, WebhookDelivery

#: A count is exact up to this number of rows.
COUNT_LIMIT = 10_000


class ConsumerState(NamedTuple):
    """A consumer with what waits for it. ``webhook`` is ``None`` if it is not configured."""

    consumer: WebhookConsumer
    webhook: Webhook | None
    #: "works", "failing", "stopped", "new" or "not_configured"
    state: str
    #: Events of the feed that are not read yet, of all types, and events that wait for a retry.
    behind: int
    given_up: int

    @property
    def name(self) -> str:
        """The name of the consumer."""
        return self.consumer.name


def show_count(count: int) -> str:
    """Return a count of events, with a plus sign if there are more."""
    return f"{COUNT_LIMIT}+" if count > COUNT_LIMIT else str(count)


def consumer_states() -> Iterator[ConsumerState]:
    """Yield the state of every consumer that is configured or has a row; write nothing."""
    webhooks = configured_webhooks()
    rows = {consumer.name: consumer for consumer in WebhookConsumer.objects.for_write()}
    for name in sorted({*webhooks, *rows}):
        yield state_of(rows.get(name) or WebhookConsumer(name=name), webhooks.get(name))


def state_of(consumer: WebhookConsumer, webhook: Webhook | None) -> ConsumerState:
    """Return the state of a consumer, whose row may be unsaved."""
    if consumer.pk is None:
        return ConsumerState(consumer, webhook, "new", 0, 0)
    deliveries = WebhookDelivery.objects.for_write().of(consumer)
    waiting, given_up = deliveries.waiting(), deliveries.given_up()
    most = COUNT_LIMIT + 1
    behind = min(events.count_after(consumer.cursor, most) + waiting[:most].count(), most)
    given_up_count = given_up[:most].count()
    return ConsumerState(consumer, webhook, _word(consumer, webhook), behind, given_up_count)


def deliver_again(consumer: WebhookConsumer, since: datetime) -> None:
    """Deliver all events from this time on again; a request under way may bring one before."""
    WebhookConsumer.objects.deliver_again(consumer, since, events.since(since))


def _word(consumer: WebhookConsumer, webhook: Webhook | None) -> str:
    if webhook is None:
        return "not_configured"
    if consumer.stopped_at:
        return "stopped"
    return "failing" if consumer.is_failing else "works"
