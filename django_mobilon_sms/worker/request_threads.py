"""Gateway calls under way: threads that only do HTTP, while one thread owns the database."""

from __future__ import annotations

import _thread
import queue
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ..exceptions import OutcomeUnknown

#: How much longer than its timeout a request is waited for, in seconds.
GRACE = 5.0


#: A wait that ends so many seconds too late: this process was stopped, or its host asleep. What
#: came meanwhile is there to be read, so the call gets ``GRACE`` once more.
STOOD_STILL = 1.0


K = TypeVar("K")


R = TypeVar("R")


class RequestThreads(Generic[K, R]):
    """RequestThreads under way, each in a thread of its own that keeps no process from ending.

    A call that takes longer than ``seconds`` is abandoned: dripped headers can outlast any
    timeout of a socket, and an abandoned daemon thread keeps no process from ending.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadlines: dict[K, float] = {}
        self._done: queue.SimpleQueue[tuple[K, R | BaseException]] = queue.SimpleQueue()

    def __len__(self) -> int:
        return len(self._deadlines)

    def start(self, key: K, function: Callable[[], R]) -> None:
        """Call ``function`` in a thread; ``wait()`` gives what comes of it under ``key``."""
        self._deadlines[key] = time.monotonic() + self._seconds
        # ``Thread.start()`` would wait until the thread runs, and so for whoever holds the GIL.
        _thread.start_new_thread(self._call, (key, function))

    def wait(self) -> list[tuple[K, R | BaseException]]:
        """The calls that are over by now, and if there are none the next one.

        Each with its key, and its value or its error; an abandoned call's error is
        ``OutcomeUnknown`` (``deadline``).
        """
        return self._over_by_now() or [self._next()]

    def _over_by_now(self) -> list[tuple[K, R | BaseException]]:
        over: list[tuple[K, R | BaseException]] = []
        while True:
            try:
                key, result = self._done.get_nowait()
            except queue.Empty:
                return over
            if self._deadlines.pop(key, None) is not None:  # else it was abandoned before
                over.append((key, result))

    def _next(self) -> tuple[K, R | BaseException]:
        while True:
            key = min(self._deadlines, key=self._deadlines.__getitem__)
            try:
                over, result = self._done.get(timeout=self._left(key))
            except queue.Empty:
                overslept = time.monotonic() - self._deadlines[key]
                if overslept > STOOD_STILL:
                    self._deadlines[key] += overslept + GRACE
                    continue
                over, result = key, OutcomeUnknown("deadline")
            if self._deadlines.pop(over, None) is not None:
                return over, result

    def _left(self, key: K) -> float:
        return max(0.0, self._deadlines[key] - time.monotonic())

    def _call(self, key: K, function: Callable[[], R]) -> None:
        try:
            result: R | BaseException = function()
        except BaseException as error:  # whatever ends the call, its owner must hear of it
            result = error
        self._done.put((key, result))
