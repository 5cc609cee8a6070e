"""Tasks for Celery, and what wakes a worker: see ``docs/operations.rst``.

Each may be delivered twice, cut by a time limit or killed. A soft time limit ends a task after the
requests under way, and what came of them is recorded.
"""

from __future__ import annotations

import signal
from typing import Any

from celery import shared_task

from . import jobs

#: The pool's signal for a soft time limit, where there is one.
SOFT_TIME_LIMIT = getattr(signal, "SIGUSR1", signal.SIGTERM)


@shared_task(name="mobilon_sms.send", acks_late=True, ignore_result=True)
def send() -> dict[str, Any]:
    """Send what is due; what is left after a while is another task's."""
    with jobs.shift(signal.SIGTERM, SOFT_TIME_LIMIT) as stopping:
        report = jobs.send(stopping)
        if stopping():
            wake_up()
    return report


@shared_task(name="mobilon_sms.refresh", acks_late=True, ignore_result=True)
def refresh() -> dict[str, Any]:
    """Ask for the statuses that are due; the schedule brings the next."""
    with jobs.shift(signal.SIGTERM, SOFT_TIME_LIMIT) as stopping:
        return jobs.refresh_statuses(stopping)


@shared_task(name="mobilon_sms.purge", acks_late=True, ignore_result=True)
def purge(older_than: str, *, only_text: bool = False) -> dict[str, int]:
    """Delete what was written longer ago, for example ``"180d"``, and has ended."""
    return jobs.purge_ended(older_than, only_text=only_text)


def wake_up() -> None:
    """Let a worker send at once: for ``MOBILON_SMS_WAKE_UP``."""
    jobs.call_once_a_second(
        lambda delay: send.apply_async(countdown=delay, expires=jobs.STALE, retry=False)
    )
