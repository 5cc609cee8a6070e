"""Requests under way in threads that only do HTTP, while one thread owns the database."""

from __future__ import annotations

import _thread
import queue
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ..exceptions import OutcomeUnknown

#: How long a request is waited for beyond its timeout, in seconds.
GRACE = 5.0


#: How late a wait must end, in seconds, to show that this process was stopped or its host asleep.
#: The answer may have come meanwhile, so the request gets ``GRACE`` once more.
STOOD_STILL = 1.0


K = TypeVar("K")


R = TypeVar("R")


class RequestThreads(Generic[K, R]):
    """Requests under way, each in a daemon thread of its own.

    A request that takes longer than ``seconds`` is abandoned, because dripped headers can outlast
    any timeout of a socket. Its thread keeps no process from ending.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadlines: dict[K, float] = {}
        self._done: queue.SimpleQueue[tuple[K, R | BaseException]] = queue.SimpleQueue()

    def __len__(self) -> int:
        return len(self._deadlines)

    def start(self, key: K, function: Callable[[], R]) -> None:
        """Call ``function`` in a thread; ``wait()`` returns its value or error with ``key``."""
        self._deadlines[key] = time.monotonic() + self._seconds
        # ``Thread.start()`` would wait until the thread runs, and so for whoever holds the GIL.
        _thread.start_new_thread(self._call, (key, function))

    def wait(self) -> list[tuple[K, R | BaseException]]:
        """Return the requests that are over, or wait for the next one if none is.

        Each comes as its key with its value or its error. The error of an abandoned request is
        ``OutcomeUnknown`` (``deadline``).
        """
        return self._over_by_now() or [self._next()]

    def _over_by_now(self) -> list[tuple[K, R | BaseException]]:
        over: list[tuple[K, R | BaseException]] = []
        while True:
            try:
                key, answer = self._done.get_nowait()
            except queue.Empty:
                return over
            if self._deadlines.pop(key, None) is not None:  # else it was abandoned before
                over.append((key, answer))

    def _next(self) -> tuple[K, R | BaseException]:
        while True:
            key = min(self._deadlines, key=self._deadlines.__getitem__)
            try:
                over, answer = self._done.get(timeout=self._left(key))
            except queue.Empty:
                overslept = time.monotonic() - self._deadlines[key]
                if overslept > STOOD_STILL:
                    self._deadlines[key] += overslept + GRACE
                    continue
                over, answer = key, OutcomeUnknown("deadline")
            if self._deadlines.pop(over, None) is not None:
                return over, answer

    def _left(self, key: K) -> float:
        return max(0.0, self._deadlines[key] - time.monotonic())

    def _call(self, key: K, function: Callable[[], R]) -> None:
        try:
            answer: R | BaseException = function()
        except BaseException as error:  # whatever ends the request, its owner must get it
            answer = error
        self._done.put((key, answer))
