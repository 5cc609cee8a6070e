"""Run one cell: strike real processes at work, then let them finish, sweep, and count."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from django.db import DatabaseError
from django.test import override_settings

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now, retry_on_lock
from tests.support.commit_proxy import CommitProxy
from tests.support.ports import full_port

from . import clocks, history, notes
from .cells import Cell
from .database_faults import PATIENCE, USER, DatabaseStrikes, bound_user
from .invariants import Findings, Row, find
from .people import PeoplesActs
from .reader import KilledReader, compare, read_events, written_events
from .settings import MOBILON_SMS_LEASE
from .surroundings import AROUND, UNWRITABLE, output

ROOT = Path(__file__).resolve().parents[3]
#: Longest time in seconds that a trap waits for a worker.
TRAP_LIFE = MOBILON_SMS_LEASE + 4.0
SIGNALS = {name: getattr(signal, f"SIG{name}") for name in ("KILL", "TERM", "STOP")}

#: Exit codes of workers that were killed, or stopped before or after they heed a signal.
STRUCK = (0, -signal.SIGKILL, -signal.SIGTERM)

T = TypeVar("T")


def run(cell: Cell, folder: Path) -> Findings:
    """Run the storm on an empty outbox and return its findings."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        url = stack.enter_context(gateway(cell, folder))
        storm = Storm(cell, folder, url)
        stack.enter_context(storm.surrounded())
        stack.enter_context(storm.with_events())
        stack.callback(storm.end)
        storm.blow()
        storm.calm(url)
        return storm.count()


def process(role: str, folder: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    """Start a Python process on the storm's database that logs to the folder."""
    with (folder / f"{role}.log").open("a") as log, output(environment) as out:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | {"CHAOS_ROLE": role, "CHAOS_FOLDER": str(folder)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if role == "gateway" else out or log,
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


class Storm(DatabaseStrikes, PeoplesActs):
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
        self.environment: dict[str, str] = {}
        self.reader: KilledReader | None = None

    @contextmanager
    def with_events(self) -> Iterator[None]:
        """Write events, and read them, if the cell has a reader."""
        kept = "30d" if self.cell.has_reader else None
        if kept:
            self.environment["MOBILON_SMS_EVENTS"] = kept
            self.reader = KilledReader(self.start_reader, self.cell.seed)
        with override_settings(MOBILON_SMS_EVENTS=kept):
            yield

    def start_reader(self) -> subprocess.Popen[str]:
        """Start a process that reads the events."""
        environment = {"MOBILON_SMS_EVENTS": "30d"}
        return process("reader", self.folder, "-m", "tests.endurance.chaos.reader", **environment)

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
        kind, *words = strike.split()
        if kind in SIGNALS and words:
            self.trap(kind, *words)
        elif kind in SIGNALS:
            time.sleep(self.random.uniform(0, 0.3))
            with suppress(ProcessLookupError, IndexError):
                self.random.choice(self.workers).send_signal(SIGNALS[kind])
        else:
            getattr(self, kind)(*words)

    @contextmanager
    def surrounded(self) -> Iterator[None]:
        """Set up what goes wrong around the workers of this cell."""
        around, environment = self.cell.around, self.environment
        with ExitStack() as stack:
            if around == "dead addresses":
                ports = [stack.enter_context(full_port()) for _ in range(2)]
                environment["CHAOS_DEAD_PORTS"] = " ".join(map(str, ports))
            elif around == "clock":
                stack.enter_context(clocks.movable(self.folder / "clock"))
            elif around == "proxy":
                self.proxy = CommitProxy()
                stack.callback(self.proxy.close)
                environment |= {"DATABASE_URL": through(self.proxy.port), "PGSSLMODE": "disable"}
            elif around == "bound user":
                stack.enter_context(bound_user())
                environment["DATABASE_URL"] = os.environ["DATABASE_URL"].replace(
                    "root@", f"{USER}@"
                )
            if around in AROUND:  # these have names
                self.url = self.url.replace("127.0.0.1", "localhost")
            environment["CHAOS_AROUND"] = around
            yield

    def trap(self, kind: str, point: str) -> bool:
        """Let the signal strike the next worker at this point; return whether one came there."""
        trap, laid = self.folder / f"trap.{point}", self.folder / "trap"
        laid.write_text(str(int(SIGNALS[kind])))
        laid.rename(trap)
        until = time.monotonic() + TRAP_LIFE
        while trap.exists() and time.monotonic() < until:
            self.tend()
        is_sprung = not trap.exists()
        trap.unlink(missing_ok=True)
        return is_sprung

    def tend(self) -> None:
        """Replace workers that ended, and wake those stopped for longer than a lease."""
        self.wake()
        for worker in self.workers:
            if worker.poll() is not None:
                self.counts["kills"] += worker.returncode == -signal.SIGKILL
                self.counts["ended"] += worker.returncode not in STRUCK
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < self.cell.workers:
            options = ("--loop", "--interval=0.05", f"--batch-size={self.cell.batch}")
            self.workers.append(self.start(*options))
        if self.reader:
            self.reader.tend(self.folder)
        self.try_now()
        time.sleep(0.02)

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start a `manage.py send_sms`."""
        command = ("-m", "django", "send_sms", "--json", *options)
        self.counts["faults"] += self.cell.around in UNWRITABLE
        environment = self.environment | {"MOBILON_SMS_BASE_URL": self.url}
        return process("worker", self.folder, *command, **environment)

    def wake(self) -> None:
        """Continue stopped workers once their lease is over."""
        now = time.monotonic()
        for pid in [worker.pid for worker in self.workers if is_stopped(worker.pid)]:
            if now > self.stopped.setdefault(pid, now + self.cell.suspension):
                del self.stopped[pid]
                self.counts["stops"] += 1
                os.kill(pid, signal.SIGCONT)

    def is_any_stopped(self) -> bool:
        """Return whether a worker is stopped by a signal."""
        return any(is_stopped(worker.pid) for worker in self.workers)

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
        if self.cell.around == "clock":
            clocks.jump(0)
        self.wait(lambda: not self.pending())
        if self.cell.can_prove:  # what is under way may still prove that it never left
            under_way = SmsMessage.objects.filter(status=Status.SENDING)
            self.wait(lambda: not self.pending() and not self.persisting(under_way.exists))
        self.wait(lambda: not self.is_any_stopped())
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            self.counts["ended"] += worker.wait(PATIENCE) not in STRUCK
        leases = SmsBatch.objects.filter(outcome="")
        self.persisting(lambda: leases.update(lease_until=db_now()))
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
        if self.reader:
            self.reader.end()

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
            can_prove=self.cell.can_prove,
            may_overtake=self.cell.may_overtake,
        )
        for name in ("kills", "stops", "cuts", "ended", "paused_claims"):
            setattr(findings, name, self.counts[name])
        noted = notes.counted(self.folder)
        findings.faults = self.counts["faults"] + noted["fault"]
        if self.reader:
            self.compare_events(self.reader, findings)
        findings.deadlocks, findings.locked = noted["deadlock"], noted["locked"]
        return findings

    def compare_events(self, reader: KilledReader, findings: Findings) -> None:
        """Let the reader read the rest, and compare what it read with the table and the trigger."""
        written = written_events()
        reader.read_all(self.folder, len(written), PATIENCE)
        changes = [(change.old, change.new) for change in history.changes()]
        compared = compare(written, read_events(self.folder), changes, self.created)
        findings.events, findings.reader_kills = compared.events, reader.kills
        findings.events_missed, findings.events_twice = compared.missed, compared.twice
        findings.events_unread = compared.unread
        findings.events_unordered = compared.unordered
        findings.events_unwritten = compared.unwritten


def through(port: int) -> str:
    """Return DATABASE_URL with another port."""
    address, _, name = os.environ["DATABASE_URL"].rpartition("/")
    return f"{address.rpartition(':')[0]}:{port}/{name}"


def is_stopped(pid: int) -> bool:
    """Return whether the process is stopped by a signal."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False
