"""Tasks for Celery, and a wake-up for its workers: see ``docs/howto/celery.rst``.

Each task may be delivered twice, cut by a time limit or killed. A soft time limit ends it after the
requests under way, whose outcome is recorded.
"""

from __future__ import annotations

import signal
from typing import Any

from celery import shared_task

from ..choices import WorkerKind
from . import jobs

#: The signals that end a task early. Where Celery's pool has a soft time limit, it sends SIGUSR1.
SIGNALS = {signal.SIGTERM, getattr(signal, "SIGUSR1", signal.SIGTERM)}


@shared_task(name="mobilon_sms.send", acks_late=True, ignore_result=True)
def send() -> dict[str, Any]:
    """Send due messages; another task sends those that are left after a while."""
    return jobs.send(*SIGNALS, kind=WorkerKind.CELERY, wake_up=wake_up)


@shared_task(name="mobilon_sms.refresh", acks_late=True, ignore_result=True)
def refresh() -> dict[str, Any]:
    """Query the statuses that are due; the next scheduled task queries the rest."""
    return jobs.refresh_statuses(*SIGNALS)


@shared_task(name="mobilon_sms.webhooks", acks_late=True, ignore_result=True)
def webhooks() -> None:
    """Deliver events to the consumers of webhooks; the next scheduled task delivers the rest."""
    jobs.deliver_webhooks(*SIGNALS)


@shared_task(name="mobilon_sms.purge", acks_late=True, ignore_result=True)
def purge(older_than: str, *, only_text: bool = False) -> dict[str, int]:
    """Delete ended messages, or only their texts, that are older than for example ``"180d"``."""
    return jobs.purge_ended(older_than, only_text=only_text)


def wake_up() -> None:
    """Queue a task that sends now; a value for ``MOBILON_SMS_WAKE_UP``."""
    jobs.throttle(
        lambda delay: send.apply_async(countdown=delay, expires=jobs.WAKE_UP_EXPIRES, retry=False)
    )
