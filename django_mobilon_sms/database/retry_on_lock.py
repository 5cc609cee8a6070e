"""Retry work that a deadlock, a lock, a restart or a switch-over of the database interrupted."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from django.db import (
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    connections,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How long a worker retries a claim, a sweep or a record, in seconds.
RETRY_SECONDS = 15.0

#: Locks, deadlocks, cut connections; PostgreSQL raises ``InternalError`` while it is read-only.
PASSING = (OperationalError, InterfaceError, InternalError)

#: Refusals of a row, which every attempt would meet again.
LASTING = (DataError, IntegrityError)

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 2.0  # seconds


def retry_on_lock(
    function: Callable[[], T], *, using: str, seconds: float, reply_is_held: bool = False
) -> T:
    """Call ``function`` until it succeeds, and return its result.

    Retries after the ``PASSING`` errors of the database ``using``; ``reply_is_held``: after all but
    the ``LASTING`` ones, because the reply would be lost. Raises the last error after ``seconds``.
    Pauses between two calls for at most ``LONGEST_PAUSE``.

    ``function`` must be safe to repeat and must not send a POST. Inside a transaction there is no
    retry, because the first error has broken it.
    """
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        try:
            return function()
        except Error as error:
            passes = not isinstance(error, LASTING) if reply_is_held else isinstance(error, PASSING)
            if not passes or connections[using].in_atomic_block or time.monotonic() > deadline:
                raise
            with suppress(Exception):  # of a handler: the function may hold a reply
                logger.warning("database.retry error=%s", type(error).__name__)
            # A new one, because the old one may lead to a server that another has replaced.
            with suppress(Error):  # MariaDB's raises if it is closed already
                connections[using].close()
            # Random, so that workers that met one lock do not meet again.
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(2 * pause, LONGEST_PAUSE)
