"""Processes that are measured, in turn, and what is said of their figures."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from types import MappingProxyType
from typing import Any

from django.db import connection
from django.db.models import F

from django_mobilon_sms.models import GatewayState

#: These begin and end a transaction, and are not counted. MariaDB's SET STATEMENT runs a query.
MARKS = ("BEGIN", "COMMIT", "ROLLBACK", "SET TRANSACTION", "SET SESSION")

#: Work that finds nothing waiting: it must be reported.
TOLD_HOW_MANY = {
    *("bare", "post_office", "mailer", "procrastinate"),
    *("send_many", "bulk_create", "copy", "send_sms", "save_base"),
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """One line of the table: ``measured`` beside the ``target`` it is to reach or stay under."""

    work: str
    measured: float
    target: float | None = None
    at_most: bool = False
    unit: str = "x"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; ``None`` without one."""
        if self.target is None:
            return None
        return self.measured <= self.target if self.at_most else self.measured >= self.target


def database_name() -> str:
    """The key in ``NAMES`` of the database that is measured."""
    return "wal" if os.environ.get("BENCH_WAL") == "True" else connection.vendor


class Bench:
    """What every part needs: the gateway, the address of the database, how many rounds."""

    def __init__(self, gateway: str, environment: dict[str, str], rounds: int) -> None:
        self.gateway = gateway
        self.environment = environment
        self.rounds = rounds
        self.series: dict[str, list[tuple[float, float]]] = {}

    @property
    def vendor(self) -> str:
        """Which database it is."""
        return connection.vendor

    def environ(self, latency: int, settings: Mapping[str, str]) -> dict[str, str]:
        """The environment of a process: the gateway's address, and settings of the project."""
        address = {"MOBILON_SMS_BASE_URL": f"{self.gateway}/{latency}/"}
        return self.environment | address | dict(settings)

    def start(
        self,
        name: str,
        *,
        latency: int = 0,
        settings: Mapping[str, str] = MappingProxyType({}),
        **options: Any,
    ) -> subprocess.Popen[str]:
        """A process that is ready to be measured."""
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name, json.dumps(options)],
            env=self.environ(latency, settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{name} did not get ready.")
        return process

    def run(self, name: str, *, latency: int = 0, **options: Any) -> dict[str, Any]:
        """Measure one process alone."""
        [result] = together([self.start(name, latency=latency, **options)])
        return result

    def rate(self, name: str, count: int, *, latency: int = 0, **options: Any) -> float:
        """Messages a second of one process, which must do them all."""
        if name in TOLD_HOW_MANY:
            options["count"] = count
        result = self.run(name, latency=latency, **options)
        if result["count"] != count:
            raise RuntimeError(f"{name} did {result['count']} of {count}.")
        return count / float(result["seconds"])

    def in_turn(self, *measures: Callable[[], float]) -> list[list[float]]:
        """Each measured in each round, one after the other."""
        found: list[list[float]] = [[] for _ in measures]
        for _ in range(self.rounds):
            for measure, figures in zip(measures, found):
                figures.append(measure())
        return found


def together(processes: Sequence[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    """Let them all go at once; what came of each."""
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return [json.loads(process.communicate()[0]) for process in processes]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios: both of a round met the same machine."""
    return median(one / other for one, other in zip(ours, theirs))


def commits_a_second(seconds: float = 1.0) -> float:
    """How many small transactions the database commits: its disk decides."""
    GatewayState.objects.current()
    until, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        GatewayState.objects.update(failures=F("failures") + 1)
        count += 1
    GatewayState.objects.update(failures=0)
    return count / seconds


def bare_select() -> float:
    """Return the median of a SELECT of 100 messages, in milliseconds, to compare pages with."""
    times = []
    with connection.cursor() as cursor:
        for _ in range(8):
            began = time.perf_counter()
            cursor.execute("SELECT * FROM mobilon_sms_smsmessage ORDER BY id DESC LIMIT 100")
            cursor.fetchall()
            times.append(time.perf_counter() - began)
    return median(times[1:]) * 1000


def load() -> str:
    """How many processes wanted a processor in the last minute: others slow what is measured."""
    return f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"


@contextmanager
def gateway() -> Iterator[str]:
    """The address of a gateway in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.gateway"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
