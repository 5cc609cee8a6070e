"""Requests under way in threads that never use the database."""

from __future__ import annotations

import _thread
import queue
from collections.abc import Callable, Iterator
from math import inf
from typing import Generic, TypeVar

from ..exceptions import GatewayError, NeverLeft
from ..gateway import Call, uptime

#: How long a request is waited for beyond its deadline, in seconds.
GRACE = 5.0

#: How late a wait must end, in seconds, to show that this process was stopped or its host asleep.
#: The answer may have come meanwhile, so the request gets ``GRACE`` once more.
STOOD_STILL = 1.0


K = TypeVar("K")


R = TypeVar("R")


class RequestThreads(Generic[K, R]):
    """Requests under way, each in a daemon thread of its own.

    A request is abandoned ``GRACE`` after the deadline of its call, which its own timeouts should
    have kept. A backend that cannot be interrupted keeps it until its lease ends. Its thread keeps
    no process from ending.
    """

    def __init__(self) -> None:
        self._calls: dict[K, Call] = {}
        self._waits: dict[K, float] = {}  # until when each is waited for, by ``uptime()``
        self._done: queue.SimpleQueue[tuple[K, R | BaseException]] = queue.SimpleQueue()

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[K]:
        """Yield the keys of the requests whose answer was not returned yet."""
        return iter(self._calls)

    def start(self, key: K, call: Call, function: Callable[[], R]) -> None:
        """Call ``function`` in a thread; ``wait()`` returns its value or error with ``key``.

        A thread that cannot start is such an error: ``NeverLeft`` (``request``).
        """
        self._calls[key], self._waits[key] = call, call.deadline + GRACE
        try:
            # ``Thread.start()`` would wait until the thread runs, so for whoever holds the GIL.
            _thread.start_new_thread(self._run, (key, call, function))
        except (RuntimeError, MemoryError):
            self._done.put((key, NeverLeft("request")))

    def wait(self, seconds: float | None = None) -> list[tuple[K, R | BaseException]]:
        """Return the requests that are over, or wait for the next one if none is.

        Each comes as its key with its value or its error. The error of an abandoned request is what
        ``Call.abandon()`` proved. Returns none if nothing is over after so many ``seconds``.
        """
        return self._over_by_now() or self._next(inf if seconds is None else uptime() + seconds)

    def _over_by_now(self) -> list[tuple[K, R | BaseException]]:
        over: list[tuple[K, R | BaseException]] = []
        while True:
            try:
                key, answer = self._done.get_nowait()
            except queue.Empty:
                return over
            if self._forget(key):
                over.append((key, answer))

    def _next(self, until: float) -> list[tuple[K, R | BaseException]]:
        while True:
            key = min(self._waits, key=self._waits.__getitem__)
            end = min(until, self._waits[key])
            try:
                over, answer = self._done.get(timeout=max(0.0, end - uptime()))
            except queue.Empty:
                if end == until:
                    return []
                if (error := self._given_up(key)) is None:
                    continue
                over, answer = key, error
            if self._forget(over):
                return [(over, answer)]

    def _given_up(self, key: K) -> GatewayError | None:
        """Abandon a request and return its error; ``None`` where it gets more time instead."""
        overslept = uptime() - self._waits[key]
        if overslept > STOOD_STILL:
            self._waits[key] += overslept + GRACE
            return None
        if error := self._calls[key].abandon():
            return error
        self._waits[key] = self._calls[key].lease_end
        return None

    def _forget(self, key: K) -> bool:
        """Whether the request was still waited for; from now on it is not."""
        self._waits.pop(key, None)
        return self._calls.pop(key, None) is not None

    def _run(self, key: K, call: Call, function: Callable[[], R]) -> None:
        try:
            call.hand_over()
            answer: R | BaseException = function()
        except BaseException as error:  # whatever ends the request, its owner must get it
            answer = error
        self._done.put((key, answer))
