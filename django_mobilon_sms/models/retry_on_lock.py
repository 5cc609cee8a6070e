"""Retry work that a deadlock, a lock or a restart of the database interrupted."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connections

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How long a worker retries a claim, a sweep or a record, in seconds.
RETRY_SECONDS = 15.0

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 2.0  # seconds


def retry_on_lock(function: Callable[[], T], *, using: str, seconds: float) -> T:
    """Call ``function`` until it succeeds, and return its result.

    Retries after ``OperationalError`` and ``InterfaceError`` of the database ``using``, which are
    also raised for deadlocks, locks and cut connections. Raises the last one after ``seconds``.
    Pauses between two calls for at most ``LONGEST_PAUSE``.

    ``function`` must be safe to repeat and must not send a POST. Inside a transaction there is no
    retry, because the first error has broken it.
    """
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        try:
            return function()
        except (OperationalError, InterfaceError) as error:
            if connections[using].in_atomic_block or time.monotonic() > deadline:
                raise
            logger.warning("database.retry error=%s", type(error).__name__)
            connections[using].close_if_unusable_or_obsolete()
            # Random, so that workers that met one lock do not meet again.
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(2 * pause, LONGEST_PAUSE)
