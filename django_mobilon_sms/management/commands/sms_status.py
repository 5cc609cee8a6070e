"""``manage.py sms_status``: the outbox for a person, and for a monitor."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils.formats import localize
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...choices import Outcome
from ...conf import database_trouble, show_duration
from ...operations import COUNT_LIMIT, LastRequest, Snapshot, take_snapshot
from ...worker import TROUBLE, UNKNOWN
from ..arguments import duration

GATEWAY = {
    "ready": gettext_lazy("ready"),
    "quiet": gettext_lazy("quiet hours: until %(until)s only urgent messages go out"),
    "probing": gettext_lazy("the next message tries it after trouble"),
    "blocked": gettext_lazy("had trouble; the next try is at %(until)s"),
    "paused": gettext_lazy("paused by an operator"),
    "disabled": gettext_lazy("switched off by MOBILON_SMS_ENABLED"),
}


class Command(BaseCommand):
    """Shows what waits, how fast it goes, and what is wrong; changes nothing."""

    help = (
        "Shows what waits, how fast it goes and what is wrong."
        " Exit: 0 well; 1 the database can not be read; 2 wrong usage;"
        " 3 messages wait too long; 4 unknown messages wait for a decision."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("--json", action="store_true", help="Print a JSON object.")
        parser.add_argument(
            "--fail-if-waiting-over",
            type=duration,
            metavar="LENGTH",
            help="End with 3 if a message is due for longer, for example 15m.",
        )
        parser.add_argument(
            "--fail-if-unknown",
            action="store_true",
            help="End with 4 if unknown messages wait for a decision.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, print, and end with the code that was asked for."""
        try:
            seen = take_snapshot()
        except DatabaseError as error:
            raise CommandError(database_trouble(error)) from error
        text = json.dumps(as_dict(seen)) if options["json"] else "\n".join(lines(seen))
        self.stdout.write(text)
        if code := exit_code(seen, options):
            sys.exit(code)


def exit_code(seen: Snapshot, options: dict[str, Any]) -> int:
    """4 before 3, and 0 while nothing is wrong that was asked for."""
    longest = options["fail_if_waiting_over"]
    if options["fail_if_unknown"] and seen.unknown:
        return UNKNOWN
    waits = seen.oldest_waiting
    return TROUBLE if longest and waits is not None and waits > longest else 0


def as_dict(seen: Snapshot) -> dict[str, Any]:
    """The snapshot for --json: times in ISO 8601, lengths in seconds."""
    fields = dataclasses.asdict(seen) | {
        "last_requests": [
            {name: plain(value) for name, value in request._asdict().items()}
            for request in seen.last_requests
        ],
    }
    return {name: plain(value) for name, value in fields.items()}


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return round(value.total_seconds(), 3) if isinstance(value, timedelta) else value


def lines(seen: Snapshot) -> Iterator[str]:
    """The snapshot for a person."""
    moment = seen.blocked_until or seen.quiet_until
    until = localize(localtime(moment)) if moment else ""
    yield _("Gateway: %s") % (GATEWAY[seen.gateway] % {"until": until})
    waiting = number(seen.waiting)
    if seen.oldest_waiting is None:
        yield _("Waiting: %s") % waiting
    else:
        since = show_duration(seen.oldest_waiting)
        yield _("Waiting: %(count)s, the first for %(time)s") % {"count": waiting, "time": since}
    yield _("Scheduled for later: %s") % number(seen.scheduled)
    yield _("Being sent: %s") % number(seen.sending)
    yield _("Accepted, the status still asked for: %s") % number(seen.asked_for)
    yield _("Unknown, without a decision: %s") % number(seen.unknown)
    yield _("Messages a minute: %s") % localize(round(seen.rate, 1))
    if seen.time_to_empty:
        yield _("Time to empty: %s") % show_duration(seen.time_to_empty)
    if seen.last_requests:
        yield _("Last requests:")
        yield from (request_line(request) for request in seen.last_requests)


def number(count: int) -> str:
    """A count, or that there are more."""
    return f"{COUNT_LIMIT}+" if count > COUNT_LIMIT else str(count)


def request_line(request: LastRequest) -> str:
    """When, how many messages, and what came of it."""
    outcome = Outcome(request.outcome).label if request.outcome else _("under way")
    told = [localize(localtime(request.created_at)), request.messages, outcome, request.error_code]
    return "  " + " ".join(str(one) for one in told if one != "").rstrip()
