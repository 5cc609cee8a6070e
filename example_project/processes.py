"""The processes that demo.py and run.py start, and the gateway that they send to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

HERE = Path(__file__).resolve().parent
ORDERS = HERE / "data" / "orders.csv"
#: How long a process may take until it prints its address, and until it has stopped, in seconds.
PATIENCE = 60
STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


UNBUFFERED = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


class Trouble(Exception):
    """Something went wrong that a person should read about in one line."""


def sandbox_settings(url: str) -> dict[str, str]:
    """What leads every process to the sandbox, whatever the environment or a .env says."""
    return {
        "MOBILON_SMS_BASE_URL": url,
        "MOBILON_SMS_USERNAME": "sandbox",
        "MOBILON_SMS_PASSWORD": "sandbox",
        "MOBILON_SMS_ENABLED": "True",
        "MOBILON_SMS_BACKEND": "django_mobilon_sms.gateway.MobilonGateway",
    }


def manage(*arguments: str, environment: Mapping[str, str]) -> str:
    """Run a command of the project and return what it printed. Raises ``Trouble``."""
    with start(*arguments, environment=environment) as process:
        output, _nothing = process.communicate()
    if process.returncode:
        raise Trouble(
            f"manage.py {arguments[0]} ended with {process.returncode}.\n{output}".rstrip()
        )
    return output


@contextmanager
def start(
    *arguments: str, environment: Mapping[str, str], shown: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """A command of the project while the block runs; with ``shown`` it prints for itself."""
    with ExitStack() as stack:
        with held_signals():
            process = subprocess.Popen(
                [sys.executable, str(HERE / "manage.py"), *arguments],
                env={**os.environ, **UNBUFFERED, **environment},
                stdin=subprocess.DEVNULL,
                stdout=None if shown else subprocess.PIPE,
                encoding="utf-8",
                start_new_session=True,  # Ctrl+C reaches this process alone, which stops it
            )
            stack.enter_context(process)
            stack.callback(stop, process)
        yield process


def stop(process: subprocess.Popen[str]) -> None:
    """Ask it to stop, and kill it only if it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()


def address(process: subprocess.Popen[str], name: str) -> str:
    """The address that the process prints once it listens. Raises ``Trouble``."""
    lines = iter(process.stdout or ())
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        for line in lines:
            if match := re.search(r"http://127\.0\.0\.1:\d+/", line):
                # Read on to nowhere, so that a full pipe never stops it.
                threading.Thread(target=deque, args=(lines, 0), daemon=True).start()
                return match[0]
    finally:
        timer.cancel()
    raise Trouble(f"{name} did not start (exit code {process.wait()}).")


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM and a closed terminal end the block as Ctrl+C does; a second one changes nothing."""

    def leave(number: int, frame: FrameType | None) -> None:
        for every in STOPPING:
            signal.signal(every, signal.SIG_IGN)
        raise KeyboardInterrupt

    former = {number: signal.signal(number, leave) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def held_signals() -> Iterator[None]:
    """A signal to stop waits until the end of the block: else what it starts could be forgotten."""
    caught: list[int] = []
    former = {n: signal.signal(n, lambda number, frame: caught.append(number)) for n in STOPPING}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for number in caught[:1]:
            signal.raise_signal(number)
