"""End a command by SIGTERM or SIGINT, but not before it has recorded the work under way."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """A flag for a signal handler to set.

    A ``threading.Event`` would not do: the handler would wait for ever for the lock that the
    interrupted ``wait()`` holds.
    """

    requested = False
    number = 0  # of the signal

    def is_set(self) -> bool:
        """Return whether a signal has asked the process to stop."""
        return self.requested

    def wait(self, seconds: float) -> None:
        """Sleep for this time, or until a signal."""
        until = time.monotonic() + seconds
        while not self.requested and (left := until - time.monotonic()) > 0:
            # In short steps, because a signal just before a sleep does not end the sleep.
            time.sleep(min(left, 0.1))


@contextmanager
def stop_on_signals(*, hand_on: bool = False) -> Iterator[Stop]:
    """Yield a flag that the first signal sets; a second one ends the process as usual.

    After the block the signals are handled as before it. With ``hand_on``, a signal that came
    meanwhile is then raised again, because it was meant for the whole process. Outside the main
    thread, which alone may handle signals, nothing sets the flag.
    """
    stop = Stop()
    is_main = threading.current_thread() is threading.main_thread()

    def request_stop(number: int, frame: object) -> None:
        stop.requested, stop.number = True, number
        signal.signal(number, signal.SIG_DFL)

    former = {number: signal.signal(number, request_stop) for number in STOP_SIGNALS if is_main}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler or signal.SIG_DFL)
        if hand_on and stop.requested:
            signal.raise_signal(stop.number)
