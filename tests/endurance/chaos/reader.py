"""A reader of the events, killed at any moment: ``python -m tests.endurance.chaos.reader``.

It keeps every page with its cursor in one file, so that what it has read and how far it has come
are written together. A new process goes on from the last file.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

#: The reader is killed so many seconds after it has begun to read, on average.
LIFE = 0.7
#: Few, so that a storm has many pages.
LIMIT = 20


class Seen(NamedTuple):
    """An event; the order of the feed is that of ``order``, then of ``id``."""

    order: int
    id: int
    message: int
    old: str
    new: str


class Readings(NamedTuple):
    """The comparison of all events with those that were read, and with the changes.

    The reader has passed the events that are ``missed``; it has not come to the ``unread`` ones.
    """

    events: int = 0
    missed: int = 0
    unread: int = 0
    twice: int = 0
    unordered: int = 0
    unwritten: int = 0


def compare(
    written: Iterable[Seen], read: Iterable[Seen], changes: Iterable[tuple[str, str]], created: int
) -> Readings:
    """Compare the events of the table with those read, and with the changes of a trigger."""
    written, read = list(written), list(read)
    times = Counter(event.id for event in read)
    last: dict[int, int] = {}
    unordered = 0
    for event in read:
        unordered += event.id < last.get(event.message, 0)
        last[event.message] = event.id
    end = max((event[:2] for event in read), default=(0, 0))
    left = [event[:2] < end for event in written if event.id not in times]
    known = Counter(changes) + Counter({("", "pending"): created})
    by_event = Counter((event.old, event.new) for event in written)
    return Readings(
        events=len(written),
        missed=sum(left),
        unread=len(left) - sum(left),
        twice=sum(count - 1 for count in times.values()),
        unordered=unordered,
        unwritten=((known - by_event) + (by_event - known)).total(),
    )


def pages(folder: Path) -> list[Path]:
    """Return the pages that were read, in order."""
    return sorted(folder.glob("page-*.json"))


def read_events(folder: Path) -> list[Seen]:
    """Return all that was read, in order."""
    return [Seen(*event) for page in pages(folder) for event in json.loads(page.read_text())[0]]


def written_events() -> list[Seen]:
    """Return all events of the table."""
    from django_mobilon_sms.models import SmsEvent

    fields = ("commit_order", "id", "message_id", "old_status", "status")
    return [Seen(*row) for row in SmsEvent.objects.order_by("id").values_list(*fields)]


class KilledReader:
    """The process that reads, and its end now and then."""

    def __init__(self, start: Callable[[], subprocess.Popen[str]], seed: int) -> None:
        self.start = start
        self.random = random.Random(seed)
        self.process: subprocess.Popen[str] | None = None
        self.kills = 0
        self.killed_at: float | None = None

    def tend(self, folder: Path) -> None:
        """Kill the reader when its time has come, and start another."""
        if self.process is None or self.process.poll() is not None:
            self.process, self.killed_at = self.start(), None
        elif self.killed_at is None:
            if (folder / f"begun-{self.process.pid}").exists():  # a busy machine starts slowly
                self.killed_at = time.monotonic() + self.random.expovariate(1 / LIFE)
        elif time.monotonic() > self.killed_at:
            self.end()

    def end(self) -> None:
        """Kill the reader."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.kills += 1
            self.process.wait()

    def read_all(self, folder: Path, count: int, patience: float) -> None:
        """Wait until its pages have so many events, and end it.

        Give up when no page has come for ``patience`` seconds: then the rest is unread.
        """
        known, until = 0, time.monotonic() + patience
        while len(read_events(folder)) < count and time.monotonic() < until:
            self.tend(folder)
            time.sleep(0.2)
            if len(pages(folder)) > known:
                known, until = len(pages(folder)), time.monotonic() + patience
        self.end()


def main() -> None:
    """Read page after page, for ever."""
    import django

    django.setup()
    from django_mobilon_sms import events

    folder = Path(os.environ["CHAOS_FOLDER"])
    done = pages(folder)
    cursor, number = (json.loads(done[-1].read_text())[1], len(done)) if done else (None, 0)
    (folder / f"begun-{os.getpid()}").touch()
    while True:
        page = events.read(after=cursor, limit=LIMIT)
        cursor = page.cursor
        if not page.events:
            time.sleep(0.02)
            continue
        found = [
            Seen(one.commit_order, one.id, one.message_id, one.old_status, one.status)
            for one in page.events
        ]
        part = folder / f"part-{os.getpid()}"
        part.write_text(json.dumps([found, cursor]))
        part.rename(folder / f"page-{number:06}.json")
        number += 1


if __name__ == "__main__":
    sys.exit(main())
