"""A thread for each consumer, so that neither sending nor another consumer waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from ..conf import Webhook, conf, configured_webhooks, require_valid
from .delivery import Stopping, deliver

logger = logging.getLogger(__name__)

#: How often a thread looks for new events, in seconds.
POLL_SECONDS = 1.0
#: How long a thread waits after an error, in seconds.
TROUBLE_SECONDS = 15.0
#: How soon a signal is noticed in a task or a run of cron, in seconds.
LOOK_SECONDS = 0.2
#: How long a task or a run of cron takes up new work, in seconds.
ROUND_SECONDS = 20.0


@contextmanager
def delivering() -> Iterator[None]:
    """Deliver to every consumer in a thread of its own while the block runs."""
    ended = threading.Event()

    def follow(webhook: Webhook) -> None:
        while not ended.is_set():
            went_well = _deliver(webhook, ended.is_set)
            ended.wait(POLL_SECONDS if went_well else TROUBLE_SECONDS)

    threads = _start(follow, _valid_webhooks())
    try:
        yield
    finally:
        ended.set()
        _join(threads)


def deliver_once(
    name: str | None = None,
    *,
    stopping: Stopping = lambda: False,
    seconds: float = ROUND_SECONDS,
) -> None:
    """Deliver what is due to this or every consumer, until ``stopping`` or for so many seconds.

    Raises ``ImproperlyConfigured`` if there is a consumer, and a setting is wrong.
    """
    if not conf.WEBHOOKS:
        return
    require_valid()
    end = time.monotonic() + seconds

    def deliver_due(webhook: Webhook) -> None:
        _deliver(webhook, lambda: stopping() or time.monotonic() >= end)

    webhooks = configured_webhooks().values()
    _join(_start(deliver_due, [one for one in webhooks if name in (None, one.name)]))


def _valid_webhooks() -> Collection[Webhook]:
    """Return the consumers, or none while a setting is wrong, which every run reports."""
    if not conf.WEBHOOKS:
        return ()
    try:
        require_valid()
    except ImproperlyConfigured:
        return ()
    return configured_webhooks().values()


def _start(work: Callable[[Webhook], None], webhooks: Iterable[Webhook]) -> list[threading.Thread]:
    def run(webhook: Webhook) -> None:
        try:
            work(webhook)
        finally:
            connections.close_all()  # those of this thread

    threads = [threading.Thread(target=run, args=[one], daemon=True) for one in webhooks]
    for thread in threads:
        thread.start()
    return threads


def _join(threads: Iterable[threading.Thread]) -> None:
    """Wait until the requests under way are recorded."""
    for thread in threads:
        while thread.is_alive():
            # Python runs the handlers of signals only between two waits of the main thread.
            thread.join(LOOK_SECONDS)


def _deliver(webhook: Webhook, stopping: Stopping) -> bool:
    """Deliver and return whether that went well; after an error the events wait."""
    try:
        deliver(webhook, stopping=stopping)
        return True
    except Exception as error:
        name = type(error).__name__
        logger.warning("webhook.interrupted consumer=%s error=%s", webhook.name, name)
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()
        return False
