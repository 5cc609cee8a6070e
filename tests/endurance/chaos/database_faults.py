"""What strikes the database of a storm, and the way to it."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DatabaseError, connection

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import GatewayState, SmsMessage
from tests.support.commit_proxy import CommitProxy
from tests.support.lock_waits import held, in_threads, waiting
from tests.support.workers import wait_until

from . import clocks

#: Longest wait in seconds; only a defect takes longer.
PATIENCE = 300.0
#: How long a database is read-only, in seconds: shorter than a lease, so that a reply can wait.
READ_ONLY_FOR = 2.0
#: A user of MariaDB whom ``read_only`` binds.
USER = "chaos_worker"


class DatabaseStrikes:
    """The strikes of a storm on its database, each a method."""

    counts: Counter[str]
    tend: Callable[[], None]
    persisting: Callable[..., Any]
    write: Callable[[int], None]
    pause_and_look: Callable[[], set[Any]]
    halted: Callable[..., None]
    proxy: CommitProxy

    def cut(self) -> None:
        """End connections of the workers and of the gateway, as soon as there are any."""
        until = time.monotonic() + PATIENCE
        before = self.counts["cuts"]
        while self.counts["cuts"] == before and time.monotonic() < until:
            self.tend()
            self.end_connections()

    def end_connections(self) -> None:
        """End all other connections, as an administrator would."""
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                self.counts["cuts"] += len(cursor.fetchall())
                return
            cursor.execute(
                "SELECT id FROM information_schema.processlist"
                " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            )
            for (number,) in cursor.fetchall():
                with suppress(DatabaseError):  # it has already ended
                    cursor.execute(f"KILL {number:d}")
                    self.counts["cuts"] += 1

    def lock(self) -> None:
        """Lock SQLite's file for 10 s, longer than its timeout."""
        other = sqlite3.connect(connection.settings_dict["NAME"], timeout=60, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(10)
        other.execute("ROLLBACK")
        other.close()
        self.counts["cuts"] += 1

    def jump(self, seconds: str) -> None:
        """Set the clock so far from the right time, and let the workers go on."""
        clocks.jump(int(seconds))
        self.counts["faults"] += 1
        self.tend_for(1.0)

    def read_only(self) -> None:
        """Let the database refuse all writes of the workers for a while."""
        make_read_only(True)
        if connection.vendor == "postgresql":  # its sessions keep what they began with
            self.end_connections()
        self.tend_for(READ_ONLY_FOR)
        make_read_only(False)
        self.counts["faults"] += 1

    def lose_commit(self) -> None:
        """Cut the connection of the next COMMIT after it is done, and before its answer."""
        self.proxy.is_armed = True
        until = time.monotonic() + PATIENCE
        while self.proxy.is_armed and time.monotonic() < until:
            self.tend()
        self.counts["faults"] += not self.proxy.is_armed

    def pause_behind_lock(self) -> None:
        """Pause while claims wait for messages that somebody's transaction holds."""
        states, rows = GatewayState.objects, SmsMessage.objects.filter(status=Status.PENDING)
        self.persisting(lambda: states.pause(by=None))
        self.write(60)
        with (
            held(lambda: list(rows.select_for_update().values_list("pk"))) as release,
            in_threads() as start,
        ):
            self.persisting(states.resume)
            wait_until(waiting)
            before = waiting()
            paused = start(self.pause_and_look)
            with suppress(AssertionError):  # it does not wait where the claim has given up
                wait_until(lambda: waiting() > before or paused.done(), 2.0)
            release()
            claimed = paused.result(PATIENCE)
        self.counts["faults"] += 1
        self.halted(1.0, claimed)

    def tend_for(self, seconds: float) -> None:
        """Keep the workers going for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tend()


def make_read_only(on: bool) -> None:
    """Let the database refuse the writes of new sessions on PostgreSQL, of users on MariaDB."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            name, value = connection.settings_dict["NAME"], "on" if on else "off"
            cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
        else:
            cursor.execute("SET GLOBAL read_only = %s", [on])


@contextmanager
def bound_user() -> Iterator[None]:
    """Have a user of MariaDB whom ``read_only`` binds, as it does not bind root."""
    if connection.vendor != "mysql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE USER IF NOT EXISTS {USER}")
        cursor.execute(f"GRANT ALL ON `{connection.settings_dict['NAME']}`.* TO {USER}")
    try:
        yield
    finally:
        make_read_only(False)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP USER {USER}")
