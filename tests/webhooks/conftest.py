"""A consumer of webhooks, and what a worker does for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from django_mobilon_sms import events
from django_mobilon_sms.conf import configured_webhooks
from django_mobilon_sms.models import SmsEvent, WebhookConsumer, WebhookDelivery
from django_mobilon_sms.webhooks import deliver
from tests.support.webhook_receiver import Receiver, webhooks
from tests.support.workers import wait_until


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """The only consumer, named ``shop``; it has the events from now on."""
    settings.MOBILON_SMS_EVENTS = "30d"
    with Receiver() as server:
        settings.MOBILON_SMS_WEBHOOKS = webhooks(server)
        work()  # the worker meets the consumer
        yield server


def settle() -> None:
    """Wait until all events can be read: open transactions of other tests hold the feed back."""
    wait_until(lambda: len(events.read(limit=1000).events) == SmsEvent.objects.count())


def work(name: str = "shop", *, stopping: Callable[[], bool] = lambda: False) -> None:
    """Deliver what is due to the consumer, in this thread."""
    settle()
    deliver(configured_webhooks()[name], stopping=stopping)


def pass_time(time: timedelta) -> None:
    """Let everything that a consumer waits for be nearer by this time."""
    WebhookConsumer.objects.update(
        next_try_at=F("next_try_at") - time, lease_until=F("lease_until") - time
    )
    WebhookDelivery.objects.update(
        next_attempt_at=F("next_attempt_at") - time, failed_at=F("failed_at") - time
    )


def only() -> WebhookConsumer:
    """The only consumer."""
    consumer: WebhookConsumer = WebhookConsumer.objects.get()
    return consumer
