"""Rows that another transaction holds, and who waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from tests.support.workers import PATIENCE, wait_until

#: Counts the transactions that wait for the lock of another.
WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
}


def waiting() -> int:
    """Return how many transactions wait for a lock; SQLite cannot say it."""
    if connection.vendor == "mysql":
        time.sleep(0.2)  # MariaDB repeats an answer to whoever asks again within 0.1 s
    with connection.cursor() as cursor:
        cursor.execute(WAITING[connection.vendor])
        return int(cursor.fetchone()[0])


@contextmanager
def in_threads() -> Iterator[Callable[..., Future[Any]]]:
    """Yield a function that calls another in a thread with a connection of its own."""

    def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        yield lambda function, *args, **kwargs: pool.submit(call, function, *args, **kwargs)


@contextmanager
def held(act: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Act in a transaction of another thread, and keep it open until the yielded call commits."""
    acted, commit = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            act()
            acted.set()
            assert commit.wait(PATIENCE)

    with in_threads() as start:
        holder = start(hold)
        try:
            wait_until(lambda: acted.is_set() or holder.done())

            def release() -> None:
                commit.set()
                holder.result(PATIENCE)

            yield release
        finally:
            commit.set()
