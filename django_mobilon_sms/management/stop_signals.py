"""End a command by SIGTERM or SIGINT, but not before it has recorded the work under way."""

from __future__ import annotations

import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """A flag for a signal handler to set, and a sleep that it ends, as another thread may.

    A ``threading.Event`` would not do: the handler would wait for ever for the lock that the
    interrupted ``wait()`` holds. A byte in a pipe also ends a sleep that begins just after it.
    Python writes one at each signal, because no handler in Python runs during a sleep.
    """

    requested = False
    number = 0  # of the signal

    def __init__(self) -> None:
        self._sleeper, self._waker = socket.socketpair()
        self._sleeper.setblocking(False)
        self._waker.setblocking(False)

    def is_set(self) -> bool:
        """Return whether a signal has asked the process to stop."""
        return self.requested

    def request(self, number: int) -> None:
        """Set the flag, by a signal of this number."""
        self.requested, self.number = True, number

    def wake(self) -> None:
        """End the sleep, or the next one."""
        with suppress(OSError):  # full: it was woken often enough; closed: nobody sleeps
            self._waker.send(b"\0")

    def wait(self, seconds: float | None) -> bool:
        """Sleep for this time, or ``None``: until it is woken. Return whether it was."""
        select.select([self._sleeper], [], [], seconds)
        with suppress(BlockingIOError):
            return bool(self._sleeper.recv(4096))
        return False

    @contextmanager
    def woken_by_signals(self) -> Iterator[None]:
        """Let each signal of this process end the sleep; close the pipe after the block."""
        is_main = threading.current_thread() is threading.main_thread()
        former = signal.set_wakeup_fd(self._waker.fileno()) if is_main else -1
        try:
            yield
        finally:
            if is_main:
                signal.set_wakeup_fd(former)
            self._sleeper.close()
            self._waker.close()


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
        stop.request(number)
        signal.signal(number, signal.SIG_DFL)

    former = {number: signal.signal(number, request_stop) for number in STOP_SIGNALS if is_main}
    try:
        with stop.woken_by_signals():
            yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler or signal.SIG_DFL)
        if hand_on and stop.requested:
            signal.raise_signal(stop.number)
