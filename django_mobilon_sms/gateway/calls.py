"""A call: one POST that its owner may abandon, and whether it may have left."""

from __future__ import annotations

import math
import socket
import threading
from contextlib import suppress
from enum import Enum, auto

from ..exceptions import GatewayError, NeverLeft, OutcomeUnknown
from .clock import uptime

#: The part of the timeout within which a connection must be made. The rest is for the reply: a
#: request that is written too late to be answered would only become unknown.
CONNECTING = 0.5
#: Least time that a socket waits, in seconds: what has arrived is read even after the deadline.
LEAST_WAIT = 0.001


class State(Enum):
    """How far a call is. Only one in ``HANDED_OVER`` or ``WRITING`` may have left."""

    NEW = auto()  # its thread has not begun
    HANDED_OVER = auto()  # a backend has it that may write whenever it likes
    CONNECTING = auto()  # the backend asks before it writes
    WRITING = auto()  # allowed to write, once and for all
    ABANDONED = auto()  # never allowed to write


class Call:
    """One POST, shared by the thread that makes it and its owner, who may abandon it.

    Whether it may write or is abandoned is decided once, under one lock: either the request may
    have left, or it provably never does. ``timeout`` is in seconds and counts from now. No request
    is written with less than that left until ``lease_end``, which is a time of ``uptime()``.

    A backend whose ``send(messages, call=...)`` takes a call promises this:

    1. It calls ``begin()`` first, ``watch(socket)`` before it connects a socket, and
       ``write(socket)`` after the connection is made and before the first byte of the request.
       Each may raise ``NeverLeft``, which it lets pass.
    2. It writes the request once, and waits for nothing longer than ``seconds_left()``.
    3. It calls ``close()`` at the end.

    A backend that does not call ``begin()`` has promised nothing, and cannot be interrupted.
    """

    def __init__(self, timeout: float, *, lease_end: float | None = None) -> None:
        began = uptime()
        self.deadline = began + timeout
        self.lease_end = self.deadline if lease_end is None else lease_end
        self._connect_until = began + timeout * CONNECTING
        self._write_until = math.inf if lease_end is None else lease_end - timeout
        self._lock = threading.Lock()
        self._state = State.NEW
        self._socket: socket.socket | None = None

    def hand_over(self) -> None:
        """Give the call to a backend, which may write from now on unless it calls ``begin()``.

        Raise ``NeverLeft`` if the call was abandoned or its lease is too short.
        """
        with self._lock:
            self._require_time()
            self._state = State.HANDED_OVER

    def begin(self) -> None:
        """Promise that no byte leaves before ``write()`` allows it.

        Raise ``NeverLeft`` if the call was abandoned or its lease is too short, and
        ``RuntimeError`` once the call was written.
        """
        with self._lock:
            if self._state == State.WRITING:
                raise RuntimeError("A call is one POST, and this one has been written.")
            self._require_time()
            self._state = State.CONNECTING

    def watch(self, connection: socket.socket) -> None:
        """Let ``abandon()`` shut this socket down, in place of one watched before."""
        with self._lock:
            self._require_time()
            self._watch(connection)

    def write(self, connection: socket.socket) -> None:
        """Decide that the request may be written now, or raise ``NeverLeft``."""
        with self._lock:
            self.seconds_to_connect()
            if self._socket is None:  # a connection that was kept from an earlier call
                self._watch(connection)
            self._state = State.WRITING

    def abandon(self) -> GatewayError | None:
        """Give the call up, shut its socket down, and return what is proved.

        Return ``None`` while a backend has the call that cannot be interrupted: it is under way
        until ``lease_end``.
        """
        with self._lock:
            if self._state == State.HANDED_OVER and uptime() < self.lease_end:
                return None
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
            if self._state == State.WRITING:
                return OutcomeUnknown("deadline")
            may_write = self._state == State.HANDED_OVER
            self._state = State.ABANDONED
            return OutcomeUnknown("lost") if may_write else NeverLeft("connection")

    def close(self) -> None:
        """Let the sockets go when the backend returns."""
        with self._lock:
            self._let_go()

    @property
    def is_writing(self) -> bool:
        """Whether the request may be on its way."""
        return self._state == State.WRITING

    @property
    def has_not_left(self) -> bool:
        """Whether a backend that keeps its promise has not written a byte yet."""
        return self._state in (State.CONNECTING, State.ABANDONED)

    def seconds_left(self) -> float:
        """Return how long a socket may wait for the reply."""
        return max(LEAST_WAIT, self.deadline - uptime())

    def seconds_to_connect(self, addresses: int = 1) -> float:
        """Return how long to try the next of so many addresses: each gets an equal share.

        Raise ``NeverLeft`` when it is too late to connect.
        """
        self._require_time()
        left = self._connect_until - uptime()
        if left <= 0:
            raise NeverLeft("connection")
        return left / addresses

    def _require_time(self) -> None:
        if self._state == State.ABANDONED:
            raise NeverLeft("connection")
        if uptime() > self._write_until:
            raise NeverLeft("lease_short")

    def _watch(self, connection: socket.socket) -> None:
        self._let_go()
        # A descriptor of its own: its number cannot be another's by the time it is shut down.
        self._socket = socket.fromfd(connection.fileno(), connection.family, connection.type)

    def _let_go(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
