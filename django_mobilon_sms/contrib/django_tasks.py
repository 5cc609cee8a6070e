"""Tasks for Django's own ``django.tasks``, or its backport: see ``docs/operations.rst``.

Each may be run twice, at once on many hosts, and be killed.
"""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import Any

from django.utils import timezone

from . import jobs

try:
    from django.tasks import task
except ModuleNotFoundError:  # before Django 6.0
    from django_tasks import task  # type: ignore[no-redef]


@task
def send() -> dict[str, Any]:
    """Send what is due; what is left after a while is another task's."""
    with jobs.shift(signal.SIGTERM) as stopping:
        report = jobs.send(stopping)
        if stopping():
            wake_up()
    return report


@task
def refresh() -> dict[str, Any]:
    """Ask for the statuses that are due."""
    with jobs.shift(signal.SIGTERM) as stopping:
        return jobs.refresh_statuses(stopping)


@task
def purge(older_than: str, *, only_text: bool = False) -> dict[str, int]:
    """Delete what was written longer ago, for example ``"180d"``, and has ended."""
    return jobs.purge_ended(older_than, only_text=only_text)


def wake_up() -> None:
    """Let a worker send at once: for ``MOBILON_SMS_WAKE_UP``.

    A backend that can not put off a task gets one for each commit.
    """
    if send.get_backend().supports_defer:
        jobs.call_once_a_second(_enqueue)
    else:
        send.enqueue()


def _enqueue(delay: int) -> None:
    later = send.using(run_after=timezone.now() + timedelta(seconds=delay)) if delay else send
    later.enqueue()
