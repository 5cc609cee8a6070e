"""Run one cell: strike real processes at work, then let them finish, sweep, and count."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from django.db import DatabaseError, connection
from django.db.models import F

from django_mobilon_sms.choices import Resolution, Status
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now, retry_on_lock
from django_mobilon_sms.outbox import send_many

from . import history
from .cells import Cell
from .invariants import Findings, Row, find
from .settings import MOBILON_SMS_LEASE

ROOT = Path(__file__).resolve().parents[3]
#: Longest wait in seconds; only a defect takes longer.
PATIENCE = 300.0
#: Longest time in seconds that a trap waits for a worker.
TRAP_LIFE = MOBILON_SMS_LEASE + 4.0
SIGNALS = {name: getattr(signal, f"SIG{name}") for name in ("KILL", "TERM", "STOP")}

T = TypeVar("T")


def run(cell: Cell, folder: Path) -> Findings:
    """Run the storm on an empty outbox and return its findings."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        url = stack.enter_context(gateway(cell, folder))
        storm = Storm(cell, folder, url)
        stack.callback(storm.end)
        storm.blow()
        storm.calm(url)
        return storm.count()


def process(role: str, folder: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    """Start a Python process on the storm's database that logs to the folder."""
    with (folder / f"{role}.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | {"CHAOS_ROLE": role, "CHAOS_FOLDER": str(folder)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if role == "gateway" else log,
            stderr=log,
            text=True,
        )


@contextmanager
def gateway(cell: Cell, folder: Path) -> Iterator[str]:
    """Run the gateway's process and yield its address."""
    environment = {
        "CHAOS_SEED": str(cell.seed),
        "CHAOS_LATENCY": str(cell.latency),
        "CHAOS_FAULTS": json.dumps(cell.faults),
    }
    with process("gateway", folder, "-m", "tests.endurance.chaos.gateway", **environment) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


class Storm:
    """The workers of one cell and the strikes on them, in the order of the seed."""

    def __init__(self, cell: Cell, folder: Path, url: str) -> None:
        self.cell = cell
        self.folder = folder
        self.url = url
        self.random = random.Random(cell.seed)
        self.created = 0
        self.pressed = 0.0
        self.counts: Counter[str] = Counter()
        self.workers: list[subprocess.Popen[str]] = []
        self.stopped: dict[int, float] = {}

    def blow(self) -> None:
        """Carry out every strike, and write messages before each."""
        strikes = list(self.cell.strikes)
        self.random.shuffle(strikes)
        chunk = max(1, self.cell.messages // (len(strikes) + 1))
        for strike in strikes:
            self.write(min(chunk, self.cell.messages - self.created))
            self.tend()
            self.strike(strike)
        self.write(self.cell.messages - self.created)
        if self.cell.faults and not strikes:
            self.wait(lambda: self.posts() >= 6 or not self.pending())

    def strike(self, strike: str) -> None:
        """Carry out a strike: a signal, now or at a point; the database; a person."""
        kind, _, point = strike.partition(" ")
        if point:
            self.trap(kind, point)
        elif kind in SIGNALS:
            time.sleep(self.random.uniform(0, 0.3))
            with suppress(ProcessLookupError, IndexError):
                self.random.choice(self.workers).send_signal(SIGNALS[kind])
        else:
            getattr(self, kind)()

    def trap(self, kind: str, point: str) -> None:
        """Let the signal strike the next worker at this point."""
        trap, laid = self.folder / f"trap.{point}", self.folder / "trap"
        laid.write_text(str(int(SIGNALS[kind])))
        laid.rename(trap)
        until = time.monotonic() + TRAP_LIFE
        while trap.exists() and time.monotonic() < until:
            self.tend()
        trap.unlink(missing_ok=True)

    def tend(self) -> None:
        """Replace workers that ended, and wake those stopped for longer than a lease."""
        self.wake()
        for worker in self.workers:
            if worker.poll() is not None:
                self.counts["kills"] += worker.returncode == -signal.SIGKILL
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < self.cell.workers:
            options = ("--loop", "--interval=0.05", f"--batch-size={self.cell.batch}")
            self.workers.append(self.start(*options))
        self.try_now()
        time.sleep(0.02)

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start a `manage.py send_sms`."""
        command = ("-m", "django", "send_sms", "--json", *options)
        return process("worker", self.folder, *command, MOBILON_SMS_BASE_URL=self.url)

    def wake(self) -> None:
        """Continue stopped workers once their lease is over."""
        now = time.monotonic()
        for pid in [worker.pid for worker in self.workers if is_stopped(worker.pid)]:
            if now > self.stopped.setdefault(pid, now + MOBILON_SMS_LEASE + 1):
                del self.stopped[pid]
                self.counts["stops"] += 1
                os.kill(pid, signal.SIGCONT)

    # The database

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

    # People and callers

    def write(self, count: int) -> None:
        """Write ``count`` messages into the outbox."""
        rows = [{"number": "+79135292926", "text": f"Заказ {n}"} for n in range(count)]
        if rows:
            self.created += self.persisting(lambda: send_many(rows))

    def some(self, status: Status) -> list[int]:
        """Return the primary keys of a fifth of the messages in this status."""
        found = SmsMessage.objects.filter(status=status, resolution="")
        pks = self.persisting(lambda: list(found.values_list("pk", flat=True)))
        return self.random.sample(pks, len(pks) // 5)

    def resend(self) -> None:
        """Resend unknown messages, as a person does."""
        rows = SmsMessage.objects.filter(pk__in=self.some(Status.UNKNOWN))
        self.counts["resent"] += self.persisting(lambda: rows.resend(by=None))

    def resolve(self) -> None:
        """Resolve unknown messages, as a person does."""
        rows = SmsMessage.objects.filter(pk__in=self.some(Status.UNKNOWN))
        decision = self.random.choice(list(Resolution))
        self.persisting(lambda: rows.resolve(decision, by=None))

    def cancel(self) -> None:
        """Cancel pending messages, as a person does."""
        rows = SmsMessage.objects.filter(pk__in=self.some(Status.PENDING))
        self.persisting(rows.cancel)

    def try_now(self) -> None:
        """Unblock sending, as an impatient person does, but leave a probe its time."""
        states = GatewayState.objects.filter(blocked_until__gt=db_now())
        if time.monotonic() > self.pressed + 2.0:
            states, self.pressed = GatewayState.objects.all(), time.monotonic()
        self.persisting(states.try_now)

    def pause(self) -> None:
        """Pause sending and resume a little later, as a person does."""
        self.persisting(lambda: GatewayState.objects.pause(by=None))
        time.sleep(self.random.uniform(0.1, 0.5))
        self.persisting(GatewayState.objects.resume)

    def persisting(self, function: Callable[[], T]) -> T:
        """Retry while the database is locked or cut, as people and callers do.

        Meanwhile wake stopped workers, because one of them may hold SQLite's lock.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return retry_on_lock(function, using="default", seconds=0.0)
            except DatabaseError:
                if time.monotonic() > deadline:
                    raise
            self.wake()
            time.sleep(0.05)

    # The end

    def calm(self, url: str) -> None:
        """Clear the faults, and let the workers send all messages and end."""
        urllib.request.urlopen(urllib.request.Request(f"{url}faults/", method="DELETE"))
        self.persisting(GatewayState.objects.resume)
        self.wait(lambda: not self.pending())
        self.wait(lambda: not any(is_stopped(worker.pid) for worker in self.workers))
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(PATIENCE)
        leases = SmsBatch.objects.filter(outcome="")
        self.persisting(lambda: leases.update(lease_until=F("created_at")))
        # One sweep, by a run that may send nothing: a message still under way is stuck.
        self.persisting(lambda: GatewayState.objects.pause(by=None))
        self.start("--no-refresh").wait(PATIENCE)
        self.persisting(SmsMessage.objects.filter(status=Status.ACCEPTED).check_soon)
        self.start("--refresh-only").wait(PATIENCE)

    def end(self) -> None:
        """Kill every worker that is left."""
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def pending(self) -> int:
        """Return the number of pending messages, and make all of them due."""
        rows = SmsMessage.objects.filter(status=Status.PENDING)
        self.persisting(lambda: rows.filter(due_at__gt=db_now()).change(due_at=db_now()))
        return self.persisting(rows.count)

    def posts(self) -> int:
        """Return the number of POSTs that the gateway recorded."""
        ledger = self.folder / "ledger"
        return len(ledger.read_text().splitlines()) if ledger.exists() else 0

    def wait(self, over: Callable[[], bool]) -> None:
        """Keep the workers going until ``over()``. AssertionError: it takes too long."""
        deadline = time.monotonic() + PATIENCE
        while not over():
            assert time.monotonic() < deadline, f"{self.cell.name}: see {self.folder}"
            self.tend()

    def count(self) -> Findings:
        """Compare the outbox with the gateway's ledger."""
        fields = ("guid", "status", "resends", "gateway_id", "error_code")
        rows = [
            Row(str(guid), *values) for guid, *values in SmsMessage.objects.values_list(*fields)
        ]
        ledger = self.folder / "ledger"
        posts = [json.loads(line) for line in ledger.read_text().splitlines()]
        findings = find(
            rows,
            posts,
            history.changes(),
            created=self.created,
            unapplied=SmsBatch.objects.unapplied().count() + SmsBatch.objects.lost().count(),
        )
        findings.kills, findings.stops = self.counts["kills"], self.counts["stops"]
        findings.cuts = self.counts["cuts"]
        troubles = self.folder / "troubles"
        noted = Counter(troubles.read_text().split() if troubles.exists() else [])
        findings.deadlocks, findings.locked = noted["deadlock"], noted["locked"]
        return findings


def is_stopped(pid: int) -> bool:
    """Return whether the process is stopped by a signal."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False
