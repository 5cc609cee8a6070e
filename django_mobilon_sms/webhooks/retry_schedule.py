"""The waits before a failed event is retried, and before a failing consumer is."""

from __future__ import annotations

import random
from datetime import timedelta

from ..models import FAILING_AFTER, GIVE_UP_AFTER

#: The waits between the attempts for an event, as Standard Webhooks recommends.
DELAYS = tuple(timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000))

#: The pauses of a failing consumer; after each of them one event is tried.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=5)

#: The part of a delay that is random, so that events do not come all at once.
JITTER = 0.2


def next_delay(attempts: int, failing_for: timedelta) -> timedelta | None:
    """Return the time until the next attempt, or ``None`` to give the event up.

    ``attempts`` have failed, and ``failing_for`` is the time since the first of them. The last
    attempt is made at the end of ``GIVE_UP_AFTER``.
    """
    left = GIVE_UP_AFTER - failing_for
    if left <= timedelta():
        return None
    return min(left, _with_jitter(DELAYS[min(attempts, len(DELAYS)) - 1]))


def pause_after(failures: int) -> timedelta | None:
    """Return the pause after so many failed requests in a row; ``None`` before the first pause."""
    if failures < FAILING_AFTER:
        return None
    doublings = min(failures - FAILING_AFTER, 10)
    return _with_jitter(min(LONGEST_PAUSE, FIRST_PAUSE * 2**doublings))


def _with_jitter(delay: timedelta) -> timedelta:
    return delay * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
