"""``manage.py send_sms``: the worker's door."""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    OutputWrapper,
)
from django.db import DatabaseError, Error, connections
from django.utils.formats import localize
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from tqdm import tqdm

from ...choices import Status
from ...conf import database_trouble
from ...models import SmsBatch, SmsMailing, SmsMessage
from ...worker import RunReport, anything_to_do, candidates, deliver, refresh, sweep_leftovers

logger = logging.getLogger(__name__)

HOUR = 3600.0


def positive(value: str) -> int:
    """A whole number from 1; anything else is wrong usage."""
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(_("must be 1 or more"))
    return number


def batch_size(value: str) -> int:
    """A whole number from 1 to 100."""
    number = positive(value)
    if number > 100:
        raise argparse.ArgumentTypeError(_("must be 100 or less"))
    return number


def seconds(value: str) -> float:
    """A number of seconds over 0."""
    number = float(value)
    if not 0 < number < 86_400:
        raise argparse.ArgumentTypeError(_("must be over 0 and under a day"))
    return number


class Command(BaseCommand):
    """Sends what is due, and asks what became of what was sent."""

    help = (
        "Sends the pending messages that are due and refreshes the status of those under way."
        " Exit: 0 all well; 1 can not work; 2 wrong usage; 3 gateway trouble, messages wait;"
        " 4 messages became unknown."
    )

    # The settings of the app are checked before anything is claimed; loading the addresses and
    # pages of the project would only make every run of cron slower.
    requires_system_checks = []

    #: When to look again for lists to forget, in seconds of the monotonic clock.
    forget_at = 0.0
    #: What was said last to be wrong.
    told = ""

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--no-refresh", action="store_true", help="Only send.")
        which.add_argument("--refresh-only", action="store_true", help="Only refresh statuses.")
        parser.add_argument("--limit", type=positive, help="Send at most so many messages.")
        parser.add_argument("--batch-size", type=batch_size, help="Messages a request, 1 to 100.")
        parser.add_argument("--concurrency", type=positive, help="Requests under way at once.")
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would be done, and do nothing."
        )
        parser.add_argument("--loop", action="store_true", help="Go on until SIGTERM or SIGINT.")
        parser.add_argument(
            "--interval", type=seconds, default=5.0, help="Seconds between runs of --loop."
        )
        parser.add_argument("--json", action="store_true", help="Print a JSON object a run.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run once, or until told to stop."""
        if options["dry_run"]:
            self.dry_run(as_json=options["json"])
            return
        stop = stop_on_signals()
        if options["loop"]:
            self.loop(options, stop)
        elif code := self.run(options, stop.is_set).exit_code:
            sys.exit(code)

    def loop(self, options: dict[str, Any], stop: Stop) -> None:
        """Run until told to stop; trouble is told when it changes, and never ends it."""
        idle = False  # the first run tells what is wrong before there is anything to do
        while not stop.is_set():
            try:
                if idle and not anything_to_do():
                    self.told = ""
                else:
                    idle = not self.run(options, stop.is_set).failed
            except (CommandError, Error) as error:
                idle = False
                self.tell(self.stderr, trouble(error))
                for connection in connections.all(initialized_only=True):
                    connection.close_if_unusable_or_obsolete()
            stop.wait(options["interval"])

    def run(self, options: dict[str, Any], stopping: Callable[[], bool]) -> RunReport:
        """One run: sweep, send, refresh, and a summary. Raises ``CommandError``."""
        try:
            report = self.work(options, stopping)
        except (ImproperlyConfigured, Error) as error:
            raise CommandError(trouble(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_dict()))
        elif report.claimed or report.checked or not options["loop"]:
            self.told = ""
            self.stdout.write("\n".join(summary(report)))
        else:
            self.tell(self.stdout, "\n".join(summary(report)) if report.halted else "")
        return report

    def tell(self, stream: OutputWrapper, text: str) -> None:
        """Say what is wrong once, and not each second of a long outage."""
        if text and text != self.told:
            stream.write(text)
        self.told = text

    def forget(self) -> None:
        """Delete the lists that nobody confirmed within a day; to look once an hour is enough."""
        if time.monotonic() < self.forget_at:
            return
        self.forget_at = time.monotonic() + HOUR
        try:
            SmsMailing.objects.forget()
        except DatabaseError as error:  # it says nothing about what was sent
            logger.warning("mailings.kept error=%s", type(error).__name__)

    def work(self, options: dict[str, Any], stopping: Callable[[], bool]) -> RunReport:
        """Sweep and send, unless told to refresh only; then refresh, unless told not to."""
        if options["refresh_only"]:
            report = sweep_leftovers()
        else:
            with self.progress_bar(quiet=options["json"] or options["loop"]) as bar:
                report = deliver(
                    limit=options["limit"],
                    batch_size=options["batch_size"],
                    concurrency=options["concurrency"],
                    stopping=stopping,
                    progress=bar.update,
                )
        if not options["no_refresh"]:
            if options["loop"] and not options["refresh_only"] and not report.halted:
                stopping = or_due(stopping)
            report = refresh(report, stopping=stopping)
        # A run with nothing to do asks little, and one in trouble has other cares.
        if (report.claimed or report.checked) and not report.exit_code:
            self.forget()
        return report

    def progress_bar(self, *, quiet: bool) -> tqdm[Any]:
        """A bar on a terminal, nothing elsewhere."""
        silent = quiet or not sys.stderr.isatty()
        total = None if silent else SmsMessage.objects.for_write().due().count()
        return tqdm(total=total, disable=silent, unit=" SMS", leave=False)

    def dry_run(self, *, as_json: bool) -> None:
        """Count what a run would do; writes nothing, asks nobody."""
        try:
            messages = SmsMessage.objects.for_write()
            plan = {
                "due": messages.due().count(),
                "due_for_refresh": messages.checkable().count(),
                "lost_batches": SmsBatch.objects.lost().count(),
                "unapplied_batches": SmsBatch.objects.unapplied().count(),
            }
        except DatabaseError as error:
            raise CommandError(database_trouble(error)) from error
        lines = [f"{name}: {count}" for name, count in plan.items()]
        self.stdout.write(json.dumps(plan) if as_json else "\n".join(lines))


class Stop:
    """Whether the process was told to stop.

    No ``threading.Event``: a signal's handler that sets one waits for ever for the lock that the
    interrupted ``wait()`` holds.
    """

    told = False

    def is_set(self) -> bool:
        """Whether it was."""
        return self.told

    def wait(self, seconds: float) -> None:
        """Sleep so long, or until told."""
        until = time.monotonic() + seconds
        while not self.told and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))  # a signal that comes before a sleep does not end it


def stop_on_signals() -> Stop:
    """Told by the first SIGTERM or SIGINT; a second one ends the process as usual."""
    stop = Stop()

    def note(number: int, frame: object) -> None:
        stop.told = True
        signal.signal(number, signal.SIG_DFL)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, note)
        signal.signal(signal.SIGINT, note)
    return stop


def summary(report: RunReport) -> list[str]:
    """What a run did, in a few lines."""
    lines = [halt_line(report)] if report.halted else []
    if report.statuses:
        lines.append(_("Messages: %s") % counts(report.statuses))
    if report.checked:
        asked = ngettext(
            "Asked for %(count)d status: %(counts)s",
            "Asked for %(count)d statuses: %(counts)s",
            report.checked,
        )
        lines.append(asked % {"count": report.checked, "counts": counts(report.reported)})
    return lines or [_("Nothing to do.")]


def or_due(stopping: Callable[[], bool]) -> Callable[[], bool]:
    """Also lets a refresh that has asked for some make way for a message that became due."""
    asked = itertools.count()
    return lambda: stopping() or (next(asked) > 0 and bool(candidates.due(1, 1)))


def trouble(error: Exception) -> str:
    """What keeps the command from working, without a database's own words."""
    return database_trouble(error) if isinstance(error, Error) else str(error)


def counts(statuses: dict[str, int]) -> str:
    """``298 accepted, 2 failed``."""
    labels = dict(Status.choices) | {"": _("unchanged")}
    return ", ".join(f"{n} {labels[status]}" for status, n in sorted(statuses.items()) if n)


def halt_line(report: RunReport) -> str:
    """Why nothing, or nothing more, was sent."""
    if report.halted == "paused":
        return _("Sending is paused. Resume it in the admin.")
    if report.halted == "disabled":
        return _("Sending is switched off: MOBILON_SMS_ENABLED is False.")
    until = localize(localtime(report.resumes_at)) if report.resumes_at else ""
    if report.halted == "quiet":
        return _("Quiet hours: until %s only urgent messages go out.") % until
    if report.halted == "pace":
        return _("The pace of the line is reached; it goes on at %s.") % until
    return _("The gateway had trouble; the next try is at %s.") % until
