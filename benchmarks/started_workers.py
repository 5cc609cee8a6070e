"""Workers as an administrator runs them, and what the gateway heard of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests

from .measure import Bench

#: The commands of the workers, after the interpreter.
LOOP = ("-m", "django", "send_sms", "--loop")
DJANGO_TASKS = ("-m", "django", "db_worker")
CELERY = (
    *("-m", "celery", "-A", "tests.support.celery_app", "worker", "--concurrency=1"),
    *("--without-gossip", "--without-mingle"),
)
#: How long something is waited for that must come, in seconds.
PATIENCE = 120.0


@contextmanager
def service(
    bench: Bench, command: tuple[str, ...], *, latency: int = 0, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process group of its own, which ends with the block."""
    process = subprocess.Popen(
        [sys.executable, *command],
        env=bench.environ(latency, settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def heard(bench: Bench) -> dict[str, Any]:
    """What the gateway heard since the last question."""
    reply: dict[str, Any] = requests.post(f"{bench.gateway}/0/heard/", timeout=20).json()
    return reply


def until(condition: Callable[[], Any], pause: float = 0.05) -> Any:
    """Look again after each pause until the condition holds; return what it returned."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > end:
            raise RuntimeError("Nothing came for two minutes.")
        time.sleep(pause)
    return found
