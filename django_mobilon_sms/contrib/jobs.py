"""What tasks do, whatever runs them: send, refresh, purge.

The database is the truth, so each job may run twice, at once, on many hosts, and be killed: like
``manage.py send_sms``. A job works for a while only and leaves the rest to the next.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache import cache
from django.db import Error

from ..conf import database_trouble, parse_duration
from ..models import SmsMailing
from ..operations import purge
from ..worker import deliver, refresh

#: How long a job takes up new work, in seconds: no deploy waits for longer, the last request aside.
SHIFT = 20.0
#: A wake-up now, and where there was one in the last second, one later that sees what this commit
#: wrote. The later one comes long after its mark is gone, whatever clock the worker's host has.
WAKE_UPS = (("mobilon_sms.wake_up", 0), ("mobilon_sms.wake_up_later", 2))
#: How long a mark is there, in seconds: the least that every cache knows.
MARKED = 1
#: After that a wake-up that nobody took is not worth anything, in seconds.
STALE = 300

#: Whether a job is to end.
Stopping = Callable[[], bool]


def send(stopping: Stopping) -> dict[str, Any]:
    """Send what is due; what the run did, as ``send_sms --json`` prints it."""
    with _told_in_our_words():
        return deliver(stopping=stopping).as_dict()


def refresh_statuses(stopping: Stopping) -> dict[str, Any]:
    """Ask for the statuses that are due, and forget lists that nobody confirmed."""
    with _told_in_our_words():
        report = refresh(stopping=stopping)
        SmsMailing.objects.forget()
        return report.as_dict()


def purge_ended(older_than: str, *, only_text: bool = False) -> dict[str, int]:
    """As ``manage.py purge_sms``; how many rows it deleted, or forgot the texts of."""
    with _told_in_our_words():
        return purge(parse_duration(older_than), only_text=only_text)._asdict()


def call_once_a_second(wake_up: Callable[[int], object]) -> None:
    """Call with a delay in seconds, or not at all where a wake-up to come sees what was written.

    At most two calls a second, on all hosts that share Django's default cache.
    """
    for mark, delay in WAKE_UPS:
        if cache.add(mark, value=True, timeout=MARKED):
            wake_up(delay)
            return


@contextmanager
def shift(*signals: int) -> Iterator[Stopping]:
    """A while of work, that these signals end sooner.

    None of them interrupts what is recorded. SIGTERM is acted upon once all is.
    """
    end = time.monotonic() + SHIFT
    with _noted(signals) as came:
        yield lambda: bool(came) or time.monotonic() >= end
    if signal.SIGTERM in came:
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _noted(signals: tuple[int, ...]) -> Iterator[list[int]]:
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        signals = ()  # another thread gets none
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in signals}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def _told_in_our_words() -> Iterator[None]:
    """A database's own words can hold a row's contents: engines keep and show what they get."""
    try:
        yield
    except Error as error:
        raise RuntimeError(database_trouble(error)) from None
