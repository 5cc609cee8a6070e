"""Hear of new messages at once, by PostgreSQL's LISTEN; the worker polls as well."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import uuid4

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from ..models import CHANNEL, SmsMessage

logger = logging.getLogger(__name__)

#: How long a new listener waits for its own notification, in seconds.
PROOF_SECONDS = 1.0
#: How long a lost connection is left alone before the next attempt, in seconds.
RETRY_SECONDS = 5.0
#: How long after a failed proof a listener tries again, in seconds. The server may only have been
#: slow, and a pooler may have gone.
PROVE_AGAIN_SECONDS = 60.0
#: How often a silent connection is checked, in seconds.
CHECK_SECONDS = 60.0


class CannotListen(Exception):
    """The driver has no way to wait for a notification."""


class NotHeard(Exception):
    """The server accepted LISTEN, and this session heard nothing: a pooler is in between."""


@contextmanager
def listener(wake: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Call ``wake`` from a thread at each notification.

    Yield a function that returns whether notifications arrive, which may be found later. A lost
    connection is opened again, and ``wake`` called then, because a notification may have been
    missed meanwhile.
    """
    thread = _Listener(wake)
    if connections[_alias()].vendor == "postgresql":
        thread.start()
        thread.tried.wait(2 * PROOF_SECONDS)
    try:
        yield lambda: thread.hears
    finally:
        thread.ended.set()


class _Listener(threading.Thread):
    """Listens on a connection of its own, until ``ended``; ``tried``: ``hears`` is known."""

    def __init__(self, wake: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.wake = wake
        self.hears = False
        self.tried, self.ended = threading.Event(), threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                with listening() as connection:
                    self.hears = True
                    self.tried.set()
                    self.wake()
                    self._hear(connection)
            except CannotListen:
                self.tried.set()
                return
            except NotHeard:
                self.tried.set()
                self.ended.wait(PROVE_AGAIN_SECONDS)
                continue
            except Exception as error:  # the worker polls, and may go on without this thread
                logger.info("listen.lost error=%s", type(error).__name__)
            self.tried.set()
            self.ended.wait(RETRY_SECONDS)

    def _hear(self, connection: Any) -> None:
        while not self.ended.is_set():
            notes = list(connection.notifies(timeout=CHECK_SECONDS, stop_after=1))
            if notes:
                self.wake()
            else:
                connection.execute("SELECT 1")  # raises on a connection that was lost in silence


@contextmanager
def listening() -> Iterator[Any]:
    """Yield a connection of psycopg that hears the notifications of other sessions.

    Raises ``NotHeard`` behind a pooler that gives each transaction another session, such as
    PgBouncer's transaction mode, and ``CannotListen``.
    """
    token = uuid4().hex
    with _new_connection() as own:
        own.execute(f"LISTEN {CHANNEL}")
        with _new_connection() as other:
            other.execute("SELECT pg_notify(%s, %s)", [CHANNEL, token])
        with closing(own.notifies(timeout=PROOF_SECONDS)) as notes:
            if not any(note.payload == token for note in notes):
                raise NotHeard
        yield own


@contextmanager
def _new_connection() -> Iterator[Any]:
    wrapper: BaseDatabaseWrapper = connections[_alias()].copy()
    wrapper.settings_dict["OPTIONS"].pop("pool", None)  # it would be one less for the others
    with closing(wrapper):
        wrapper.ensure_connection()
        if not callable(getattr(wrapper.connection, "notifies", None)):
            raise CannotListen  # psycopg2
        yield wrapper.connection


def _alias() -> str:
    return router.db_for_write(SmsMessage)
