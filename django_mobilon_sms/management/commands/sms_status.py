"""``manage.py sms_status``: the figures of the outbox, for a person or a monitor."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils.formats import localize
from django.utils.translation import gettext as _

from ...choices import Outcome, WorkerKind
from ...conf import require_valid, show_duration, show_time
from ...operations import LastRequest, Snapshot, observe, show_count
from ...worker import TROUBLE, UNKNOWN
from ..arguments import duration
from ..errors import errors_named
from ..output import WorkingCommand

#: After this time without a request a person reads that nothing is sent although messages wait.
LONG_IDLE = timedelta(minutes=5)

#: The most workers that are printed for a person.
MOST_WORKERS = 10
#: A transaction that has been open for longer than this is printed for a person.
LONG_OPEN = timedelta(seconds=5)


class Command(WorkingCommand):
    """Prints the figures of the outbox; changes nothing."""

    help = (
        "Shows how many messages wait, how fast they are sent, and what is wrong."
        " Exit: 0 all well; 1 the database cannot be read; 2 wrong usage;"
        " 3 messages wait too long, or none is sent; 4 unknown messages wait for a decision."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--json", action="store_true", help="Print a JSON object.")
        parser.add_argument(
            "--fail-if-waiting-over",
            type=duration,
            metavar="LENGTH",
            help="Exit with 3 if a message has waited for longer than this, for example 15m.",
        )
        parser.add_argument(
            "--fail-if-idle-over",
            type=duration,
            metavar="LENGTH",
            help="Exit with 3 if messages wait and no request has begun for longer than this.",
        )
        parser.add_argument(
            "--fail-if-no-worker",
            type=duration,
            metavar="LENGTH",
            help="Exit with 3 if messages wait and no worker was seen for longer than this.",
        )
        parser.add_argument(
            "--fail-if-unknown",
            action="store_true",
            help="Exit with 4 if unknown messages wait for a decision.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the figures, and exit with a code that an option asks for."""
        with errors_named():
            require_valid("RATE", "DAILY_LIMIT", "QUIET_HOURS")
            snapshot = observe()
        self.stdout.write(as_json(snapshot) if options["json"] else "\n".join(lines(snapshot)))
        if code := exit_code(snapshot, options):
            sys.exit(code)


def exit_code(snapshot: Snapshot, options: dict[str, Any]) -> int:
    """Return 4 for unknown messages, 3 for a long wait, and 0 if no option asks for either."""
    if options["fail_if_unknown"] and snapshot.unknown:
        return UNKNOWN
    limits = [
        (snapshot.oldest_waiting, options["fail_if_waiting_over"]),
        (snapshot.idle, options["fail_if_idle_over"]),
    ]
    too_long = any(longest and wait and wait > longest for wait, longest in limits)
    if (longest := options["fail_if_no_worker"]) and snapshot.lacks_worker_for(longest):
        too_long = True
    return TROUBLE if too_long else 0


def as_json(snapshot: Snapshot) -> str:
    """Return the snapshot for a monitor: times in ISO 8601, durations in seconds."""
    rows = {
        name: [row._asdict() for row in getattr(snapshot, name)]
        for name in ("last_requests", "heartbeats")
    }
    fields = dataclasses.asdict(snapshot) | rows
    return json.dumps(fields, default=iso_or_seconds)


def iso_or_seconds(value: datetime | timedelta) -> str | float:
    """Return a time or a duration as a value that JSON has."""
    return value.isoformat() if isinstance(value, datetime) else round(value.total_seconds(), 3)


def lines(snapshot: Snapshot) -> Iterator[str]:
    """Yield the snapshot for a person."""
    yield snapshot.sentence
    waiting = show_count(snapshot.waiting)
    if snapshot.oldest_waiting is None:
        yield _("Waiting: %s") % waiting
    else:
        since = show_duration(snapshot.oldest_waiting)
        yield _("Waiting: %(count)s, the oldest for %(time)s") % {"count": waiting, "time": since}
    if snapshot.idle and snapshot.idle > LONG_IDLE:
        yield _("Nothing has been sent for %s.") % show_duration(snapshot.idle)
    yield _("Scheduled for later: %s") % show_count(snapshot.scheduled)
    yield _("Being sent: %s") % show_count(snapshot.sending)
    yield _("Accepted, status still being checked: %s") % show_count(snapshot.asked_for)
    yield _("Unknown, waiting for a decision: %s") % show_count(snapshot.unknown)
    yield _("Messages a minute: %s") % localize(round(snapshot.rate, 1))
    if snapshot.time_to_empty:
        yield _("Time to empty: %s") % show_duration(snapshot.time_to_empty)
    if snapshot.heartbeats:
        yield worker_line(snapshot)
    if snapshot.events_held_back and snapshot.events_held_back > LONG_OPEN:
        yield _("An open transaction has held the events back for %s.") % show_duration(
            snapshot.events_held_back
        )
    if snapshot.events_dropped:
        yield _("Events deleted before a consumer read them: %d") % snapshot.events_dropped
    if snapshot.last_requests:
        yield _("Last requests:")
        yield from (request_line(request) for request in snapshot.last_requests)


def worker_line(snapshot: Snapshot) -> str:
    """Return which workers were seen, and how long ago."""
    seen = [
        _("%(kind)s on %(host)s, %(time)s ago")
        % {
            "kind": WorkerKind(beat.kind).label,
            "host": beat.host,
            "time": show_duration(snapshot.now - beat.at),
        }
        for beat in snapshot.heartbeats[:MOST_WORKERS]
    ]
    return _("Workers: %s") % "; ".join(seen)


def request_line(request: LastRequest) -> str:
    """Return the time of a request, its number of messages and its outcome."""
    outcome = Outcome(request.outcome).label if request.outcome else _("under way")
    time = show_time(request.created_at)
    return f"  {time} {request.messages} {outcome} {request.error_code}".rstrip()
