"""Passing troubles of the database: deadlocks, locks, a restart."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connections

logger = logging.getLogger(__name__)


T = TypeVar("T")


#: How long a claim or a sweep is repeated after deadlocks and locks, in seconds.
DATABASE_PATIENCE = 15.0


LONGEST_PAUSE = 2.0


def retry_on_lock(function: Callable[[], T], *, using: str, seconds: float) -> T:
    """Call ``function``, again after each passing database error, for ``seconds`` at most.

    It must be safe to repeat, must not hold a POST, and no transaction may be open around it.
    """
    deadline, pause = time.monotonic() + seconds, 0.02
    while True:
        try:
            return function()
        except (OperationalError, InterfaceError) as error:
            if connections[using].in_atomic_block or time.monotonic() > deadline:
                raise
            logger.warning("database.retry error=%s", type(error).__name__)
            connections[using].close_if_unusable_or_obsolete()
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  spreads the workers
            pause = min(2 * pause, LONGEST_PAUSE)
