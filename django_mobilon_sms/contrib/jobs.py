"""The jobs of a task queue, whichever it is: send, refresh statuses, deliver webhooks, purge.

All state is in the database, so each job may run twice, at the same time, on many hosts, and may be
killed, like ``manage.py send_sms``. A job works for a limited time and leaves the rest to the next.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.core.cache import cache
from django.db import Error

from ..choices import WorkerKind
from ..conf import database_trouble, parse_duration
from ..models import SmsMailing
from ..operations import JOB_SECONDS, count_days, purge
from ..webhooks import deliver_once
from ..worker import beat, deliver, refresh

#: How long a job takes up new work, in seconds; a deploy waits for this time and the last request.
RUN_SECONDS = 20.0
#: A cache key and a delay in seconds for each wake-up. If there was one in the last second, a later
#: one finds what was written since then. It comes long after its key has expired, even if the
#: worker's clock differs.
WAKE_UPS = (("mobilon_sms.wake_up", 0), ("mobilon_sms.wake_up_later", 2))
#: How long these keys are kept, in seconds: the shortest time that every cache supports.
WAKE_UP_KEY_SECONDS = 1
#: After this time a queue may drop a wake-up, in seconds.
WAKE_UP_EXPIRES = 300

#: Whether a job is to stop.
Stopping = Callable[[], bool]


def send(*signals: int, kind: WorkerKind, wake_up: Callable[[], None]) -> dict[str, Any]:
    """Send due messages, until one of the signals; call ``wake_up`` if some may be left.

    ``kind`` goes into the heartbeat. Return the report of the run that ``send_sms --json`` prints.
    """
    with without_database_text(), limited_run(*signals) as stopping:
        report = deliver(stopping=stopping, alive=partial(beat, kind))
        if stopping():
            wake_up()
    return report.as_dict()


def refresh_statuses(*signals: int) -> dict[str, Any]:
    """Query due statuses, until one of the signals, delete unconfirmed mailings, count days.

    Return the report of the run, as ``send_sms --json`` prints it.
    """
    with without_database_text(), limited_run(*signals) as stopping:
        report = refresh(stopping=stopping, patient=True)
        SmsMailing.objects.forget()
        count_days(seconds=JOB_SECONDS)
    return report.as_dict()


def deliver_webhooks(*signals: int) -> None:
    """Deliver events to the consumers of webhooks, until one of the signals."""
    with without_database_text(), limited_run(*signals) as stopping:
        deliver_once(stopping=stopping)


def purge_ended(older_than: str, *, only_text: bool = False) -> dict[str, int]:
    """Purge like ``manage.py purge_sms``; return the numbers of rows."""
    with without_database_text():
        return purge(parse_duration(older_than), only_text=only_text)._asdict()


def throttle(wake_up: Callable[[int], object]) -> None:
    """Call ``wake_up`` with a delay in seconds, unless one that is still to come is enough.

    Makes at most two calls a second, on all hosts that share Django's default cache.
    """
    for key, delay in WAKE_UPS:
        if cache.add(key, value=True, timeout=WAKE_UP_KEY_SECONDS):
            wake_up(delay)
            return


@contextmanager
def limited_run(*signals: int) -> Iterator[Stopping]:
    """Yield a function that returns true after ``RUN_SECONDS`` or one of the signals.

    The signals do not interrupt the block; SIGTERM is sent again after it, whatever ended it.
    """
    end = time.monotonic() + RUN_SECONDS
    received: list[int] = []
    try:
        with _held_back(signals, received):
            yield lambda: bool(received) or time.monotonic() >= end
    finally:
        if signal.SIGTERM in received:
            os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _held_back(signals: tuple[int, ...], received: list[int]) -> Iterator[None]:
    """Add the signals to ``received`` instead of handling them."""
    if threading.current_thread() is not threading.main_thread():
        signals = ()  # only the main thread may set a handler
    former = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in signals
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler or signal.SIG_DFL)


@contextmanager
def without_database_text() -> Iterator[None]:
    """Replace a database's error, because queues keep and show its text, which can quote a row."""
    try:
        yield
    except Error as error:
        raise RuntimeError(database_trouble(error)) from None
