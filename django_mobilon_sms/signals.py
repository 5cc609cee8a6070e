"""The signal that a project can connect to, and the call of ``MOBILON_SMS_WAKE_UP``."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections, transaction
from django.dispatch import Signal
from django.utils.module_loading import import_string

from .conf import conf

#: A message has a new status. Sent by ``send_robust`` after the commit, at most once for a change
#: and never for ``pending`` to ``sending``. Arguments: ``message`` (as it was when it changed, with
#: its new status), ``old`` and ``new`` (values of ``Status``). A worker calls receivers in its own
#: thread, while no request is under way; it sends nothing meanwhile, so a receiver must be short.
status_changed = Signal()


logger = logging.getLogger(__name__)


#: Calls of receivers that are due.
Calls = deque[Callable[[], object]]


class _Held(threading.local):
    """Where the current thread holds calls back; ``None`` in a thread that does not."""

    calls: Calls | None = None


_held = _Held()


@contextmanager
def receivers_held(calls: Calls) -> Iterator[None]:
    """Add this thread's calls of receivers to ``calls``; those that are left end the block."""
    former, _held.calls = _held.calls, calls
    try:
        yield
    finally:
        _held.calls = former
        call_receivers(calls)


def call_receivers(calls: Calls) -> None:
    """Make these calls, the oldest first."""
    while calls:
        calls.popleft()()


def call_or_hold(call: Callable[[], object]) -> None:
    """Make a call of receivers now, or leave it to ``receivers_held()`` in this thread."""
    if _held.calls is None:
        call()
    else:
        _held.calls.append(call)


def wake_up_after_commit(using: str) -> None:
    """Call ``MOBILON_SMS_WAKE_UP`` once after the commit of the transaction, or now without one."""
    if conf.WAKE_UP is None:
        return
    if not any(hook is _wake_up for _, hook, *_ in connections[using].run_on_commit):
        transaction.on_commit(_wake_up, using=using)


def _wake_up() -> None:
    try:
        import_string(conf.WAKE_UP or "")()
    except Exception as error:
        # The messages are committed, and the next run of a worker sends them.
        logger.warning("wakeup.failed error=%s", type(error).__name__)
