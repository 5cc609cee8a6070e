"""Tasks for Django's own ``django.tasks``, or its backport: see ``docs/howto/django-tasks.rst``.

Each task may run twice, at the same time on many hosts, and may be killed.
"""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import Any

from django.utils import timezone

from ..choices import WorkerKind
from . import jobs

try:
    from django.tasks import task
except ModuleNotFoundError:  # before Django 6.0
    from django_tasks import task  # type: ignore[no-redef]


@task
def send() -> dict[str, Any]:
    """Send due messages; another task sends those that are left after a while."""
    return jobs.send(signal.SIGTERM, kind=WorkerKind.TASKS, wake_up=wake_up)


@task
def refresh() -> dict[str, Any]:
    """Query the statuses that are due."""
    return jobs.refresh_statuses(signal.SIGTERM)


@task
def webhooks() -> None:
    """Deliver events to the consumers of webhooks."""
    jobs.deliver_webhooks(signal.SIGTERM)


@task
def purge(older_than: str, *, only_text: bool = False) -> dict[str, int]:
    """Delete ended messages, or only their texts, that are older than for example ``"180d"``."""
    return jobs.purge_ended(older_than, only_text=only_text)


def wake_up() -> None:
    """Queue a task that sends now; a value for ``MOBILON_SMS_WAKE_UP``.

    A backend that cannot delay a task gets one task for each commit.
    """
    if send.get_backend().supports_defer:
        jobs.throttle(_enqueue)
    else:
        send.enqueue()


def _enqueue(delay: int) -> None:
    later = send.using(run_after=timezone.now() + timedelta(seconds=delay)) if delay else send
    later.enqueue()
