"""The signal that a project can connect to, and the calls of its receivers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.dispatch import Signal

#: A message has a new status. Sent by ``send_robust`` after the commit, at most once for a change
#: and never for ``pending`` to ``sending``. Arguments: ``message`` (as it was when it changed, with
#: its new status), ``old`` and ``new`` (values of ``Status``). A worker calls receivers in its own
#: thread, while it sends nothing, so a receiver must be short.
status_changed = Signal()


#: Calls of receivers that are due.
Calls = deque[Callable[[], object]]


class _Held(threading.local):
    """Where the current thread holds calls back; ``None`` in a thread that does not."""

    calls: Calls | None = None


_held = _Held()


@contextmanager
def receivers_held(calls: Calls, *, between: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Add this thread's calls of receivers to ``calls``; those that are left end the block."""
    former, _held.calls = _held.calls, calls
    try:
        yield
    finally:
        _held.calls = former
        call_receivers(calls, between=between)


def call_receivers(calls: Calls, *, between: Callable[[], object] = lambda: None) -> None:
    """Make these calls, the oldest first, and call ``between`` before each."""
    while calls:
        between()
        calls.popleft()()


def call_or_hold(call: Callable[[], object]) -> None:
    """Make a call of receivers now, or leave it to ``receivers_held()`` in this thread."""
    if _held.calls is None:
        call()
    else:
        _held.calls.append(call)
