"""The heartbeat of this process: a row that shows that somebody sends."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from math import inf

from django.db import Error, connections, router

from ..choices import WorkerKind
from ..gateway import uptime
from ..models import Heartbeat

logger = logging.getLogger(__name__)

#: Seconds between two heartbeats of a process. It interrupts a longer wait for a request, for work
#: or for the next poll, to write one.
BEAT_SECONDS = 30.0

#: When this process wrote its heartbeats last, by ``uptime()``.
_written: dict[WorkerKind, float] = {}


def beat(kind: WorkerKind) -> None:
    """Write that a worker of this kind runs on this host, unless this process did so just now.

    An error of the database is logged, because the worker can go on without its heartbeat.
    """
    now = uptime()
    if now - _written.get(kind, -inf) < BEAT_SECONDS:
        return
    _written[kind] = now
    try:
        Heartbeat.objects.beat(kind, host_name())
    except Error as error:
        with suppress(Exception):  # of a handler
            logger.warning("heartbeat.failed error=%s", type(error).__name__)
        with suppress(Error):  # so that the next statement gets a connection that works
            connections[router.db_for_write(Heartbeat)].close_if_unusable_or_obsolete()


def host_name() -> str:
    """Return the name of this host, as the journal and the heartbeats show it."""
    return socket.gethostname()[:64]
