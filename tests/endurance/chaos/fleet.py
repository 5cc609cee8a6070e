"""Workers, Celery's too, keep to one pace while they are killed.

``python -m tests.endurance.chaos.fleet`` runs it.

By hand: it takes as long as the pace says. Then the ledger of the gateway is counted: extra copies,
lost messages, and the parts of each minute against the limit.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any
from uuid import uuid4

KILLED_EACH = 5.0  # seconds, on average


def main() -> int:
    """Make the database, let them work, and count; 0 if nothing was lost, twice, or too fast."""
    options = arguments()
    os.environ |= {
        "DATABASE_URL": options.database,
        "DJANGO_SETTINGS_MODULE": "tests.endurance.chaos.settings",
        "CELERY_BROKER_URL": options.broker,
        "CELERY_QUEUE": f"mobilon_sms_{uuid4().hex}",
        "MOBILON_SMS_RATE": options.rate,
    }
    import django

    django.setup()
    from django.db import connection

    from . import history
    from .__main__ import address

    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        if connection.vendor == "sqlite":
            connection.settings_dict["TEST"]["NAME"] = str(Path(folder) / "outbox.sqlite3")
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        os.environ["DATABASE_URL"] = address(str(connection.settings_dict["NAME"]))
        history.install()
        try:
            return blow(options, Path(folder) / "storm")
        finally:
            connection.creation.destroy_test_db(
                str(connection.settings_dict["TEST"]["NAME"]), verbosity=0
            )


def arguments() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.endurance.chaos.fleet", description=__doc__
    )
    parser.add_argument("--database", default="postgres://postgres@127.0.0.1:5432/test")
    parser.add_argument("--broker", default="redis://127.0.0.1:6379/0")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rate", default="20000/m")
    parser.add_argument("--workers", type=int, default=4)
    return parser.parse_args()


def blow(options: argparse.Namespace, folder: Path) -> int:
    """Kill workers at random until no message waits, and hold all against the ledger."""
    from .cells import Cell
    from .storm import Storm, gateway

    cell = Cell("fleet", options.database, options.workers, 100, options.messages, seed=7)
    folder.mkdir()
    with gateway(cell, folder) as url:
        storm, celery = Storm(cell, folder, url), Celery(folder, url)
        try:
            storm.write(options.messages)
            strike_at = time.monotonic()
            while storm.pending():
                storm.tend()
                celery.tend()
                if time.monotonic() >= strike_at:
                    strike_at += random.expovariate(1 / KILLED_EACH)
                    random.choice([*storm.workers, celery]).send_signal(signal.SIGKILL)
            celery.send_signal(signal.SIGKILL)
            storm.calm(url)
            findings = storm.count()
        finally:
            celery.end()
            storm.end()
        print(f"{findings.messages} messages, {findings.posts} requests,", end=" ")
        print(f"{findings.kills} kills of send_sms, {celery.kills} of Celery's worker")
        print(f"unknown: {findings.unknown}, of which {findings.gone_out} had gone out")
        print(f"violations: {findings.violations or 'none'}")
        return int(bool(findings.violations) or not kept(options.rate))


class Celery:
    """Celery's worker, started again whenever it is killed, and a task for it each second."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.worker: subprocess.Popen[Any] | None = None
        self.kills, self.task_at = 0, 0.0

    def tend(self) -> None:
        """Start it if it does not run; publish a task if the last is a second old."""
        from django_mobilon_sms.contrib.celery import send
        from tests.support.celery_app import app

        if self.worker is None or self.worker.poll() is not None:
            command = ("celery", "-A", "tests.support.celery_app", "worker", "--concurrency", "2")
            with (self.folder / "celery.log").open("a") as log:
                self.worker = subprocess.Popen(
                    [sys.executable, "-m", *command, "--hostname", f"{uuid4().hex}@%h"],
                    env=os.environ | {"MOBILON_SMS_BASE_URL": self.url},
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        if time.monotonic() >= self.task_at:
            self.task_at = time.monotonic() + 1.0
            app.set_current()
            send.apply_async(expires=5)

    def send_signal(self, number: int) -> None:
        """Strike the worker with all of its pool."""
        if self.worker is not None and self.worker.poll() is None:
            self.kills += number == signal.SIGKILL
            with suppress(ProcessLookupError):
                os.killpg(self.worker.pid, number)
            self.worker.wait()

    def end(self) -> None:
        """Leave no process and no task behind."""
        from tests.support.celery_app import app

        self.send_signal(signal.SIGKILL)
        app.control.purge()


def kept(rate: str) -> bool:
    """Print what was claimed in each window, and whether any of them in a row took more."""
    from django_mobilon_sms.conf import conf, parse_rate
    from django_mobilon_sms.limits.pace import window_at
    from django_mobilon_sms.models import SmsMessage

    limit, seconds = parse_rate(rate)
    claimed: Counter[int] = Counter()
    rows = SmsMessage.objects.exclude(batch=None).values_list("batch__created_at", "segments")
    for at, parts in rows.iterator():
        claimed[window_at(at, seconds).number] += parts
    windows = [claimed[number] for number in range(min(claimed), max(claimed) + 1)]
    for number, parts in enumerate(windows):
        print(f"window {number}: {parts} parts, {parts / limit:.1%} of the limit")
    return all(
        total <= (count + 1) * limit + conf.MAX_SEGMENTS - 1
        for start in range(len(windows))
        for count, total in enumerate(accumulate(windows[start:]))
    )


if __name__ == "__main__":
    sys.exit(main())
