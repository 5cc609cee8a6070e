"""Workers as processes of their own, on the database under test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import connection

ROOT = Path(__file__).parents[2]
#: How long anything is waited for that must come, in seconds: only a defect takes longer.
PATIENCE = 60


def database_url() -> str:
    """Environment that gives a started process the database of this test."""
    name = connection.settings_dict["NAME"]
    return {
        "sqlite": f"sqlite:///{name}",
        "postgresql": f"postgres://postgres@127.0.0.1:5432/{name}",
        "mysql": f"mysql://root@127.0.0.1:3306/{name}",
    }[connection.vendor]


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Look again and again until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def group(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that leads a group of its own, which ends with the block."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url()} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
