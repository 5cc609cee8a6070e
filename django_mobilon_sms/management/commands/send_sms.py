"""``manage.py send_sms``: one run of the worker, or with ``--loop`` the worker as a service."""

from __future__ import annotations

import itertools
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser, OutputWrapper
from django.db import Error, connections
from django.utils.translation import gettext as _
from tqdm import tqdm

from ...choices import WorkerKind
from ...conf import database_trouble
from ...models import DEBOUNCE, SmsBatch, SmsMailing, SmsMessage
from ...operations import JOB_SECONDS, RECENT_AGE, count_days
from ...webhooks import deliver_once, delivering
from ...worker import (
    BEAT_SECONDS,
    RunReport,
    beat,
    can_claim,
    candidates,
    deliver,
    listener,
    log_wrong_setting,
    refresh,
    seconds_to_work,
    sweep_leftovers,
)
from ..arguments import batch_size, interval, positive
from ..errors import errors_named
from ..output import Output, WorkingCommand
from ..run_summary import summary
from ..stop_signals import Stop, stop_on_signals

logger = logging.getLogger(__name__)

#: How often mailings that nobody confirmed are deleted, in seconds.
MAILINGS_INTERVAL = 3600.0


class Command(WorkingCommand):
    """Sends due messages, and checks the statuses of sent ones."""

    help = (
        "Sends the pending messages that are due and checks the statuses of sent ones."
        " Exit: 0 all well; 1 cannot work; 2 wrong usage; 3 gateway trouble, messages wait;"
        " 4 messages became unknown."
    )

    # Each run checks the app's own settings before it claims anything. Django's checks would load
    # the URLs and views of the project, and make every run of cron slower.
    requires_system_checks = []

    #: When to delete unconfirmed mailings next, by the monotonic clock.
    mailings_due = 0.0
    #: When to count days next, by the monotonic clock.
    totals_due = 0.0
    #: The last line about trouble, which the loop does not repeat.
    last_trouble = ""
    #: Whether the loop has printed that it listens for new messages.
    hears = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        add = parser.add_argument
        parts = parser.add_mutually_exclusive_group()
        parts.add_argument("--no-refresh", action="store_true", help="Only send.")
        parts.add_argument("--refresh-only", action="store_true", help="Only check statuses.")
        add("--limit", type=positive, help="Send at most this many messages.")
        add("--batch-size", type=batch_size, help="Messages in a request, 1 to 100.")
        add("--concurrency", type=positive, help="Requests at the same time.")
        add("--dry-run", action="store_true", help="Count what would be done, and do nothing.")
        add("--loop", action="store_true", help="Run until SIGTERM or SIGINT.")
        add("--interval", type=interval, default=5.0, help="Seconds between runs of --loop.")
        add("--json", action="store_true", help="Print one JSON object for each run.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, run once, or run until a signal; exit with the code of the run."""
        if options["dry_run"]:
            self.dry_run(as_json=options["json"])
            return
        # A signal is what ends a loop. A single run leaves it to whoever called the command.
        with stop_on_signals(hand_on=not (self.is_process or options["loop"])) as stop:
            if options["loop"]:
                with listener(stop.wake) as hears, delivering():
                    self.hears = hears()
                    self.stderr.write(how_it_waits(options["interval"], hears=self.hears))
                    self.loop(options, stop, hears)
                return
            code = self.run(options, stop.is_set).exit_code
            deliver_once(stopping=stop.is_set)
        if code:
            sys.exit(code)

    def loop(
        self, options: dict[str, Any], stop: Stop, hears: Callable[[], bool] = lambda: False
    ) -> None:
        """Run whenever there is something to do, until a signal. No trouble ends the loop.

        After a notification it polls again shortly, because the writer does not repeat one at once.
        """
        idle = False  # the first run shows a wrong setting, even if there is nothing to do
        woken = False
        while not stop.is_set():
            if hears() and not self.hears:  # found late, because the server was slow
                self.hears = True
                self.stderr.write(how_it_waits(options["interval"], hears=True))
            pause: float = 2 * DEBOUNCE if woken else options["interval"]
            try:
                if not idle or not (seconds := seconds_to_work()):
                    idle = not self.run(options, stop.is_set).failed
                    seconds = seconds_to_work()
                else:
                    self.last_trouble = ""
                    self.forget_mailings()
                    self.count_days()
                    self.alive(options)
                pause = min(pause, seconds or pause)
            except Exception as error:
                idle = False
                self.print_trouble(self.stderr, describe(error))
                for connection in connections.all(initialized_only=True):
                    connection.close_if_unusable_or_obsolete()
            woken = self.sleep(stop, pause, alive=partial(self.alive, options) if idle else None)

    def sleep(self, stop: Stop, seconds: float, *, alive: Callable[[], object] | None) -> bool:
        """Wait so many seconds, or until woken; call ``alive`` every ``BEAT_SECONDS``."""
        while alive is not None and seconds > BEAT_SECONDS:
            if stop.wait(BEAT_SECONDS):
                return True
            seconds -= BEAT_SECONDS
            alive()
        return stop.wait(seconds)

    def alive(self, options: dict[str, Any]) -> None:
        """Write the heartbeat of a process that sends."""
        if not options["refresh_only"]:
            beat(WorkerKind.LOOP if options["loop"] else WorkerKind.CRON)

    def run(self, options: dict[str, Any], stopping: Callable[[], bool]) -> RunReport:
        """Do one run and print what it did. Raise ``CommandError`` if it could not work."""
        try:
            report = self.work(options, stopping)
        except (ImproperlyConfigured, Error) as error:
            if isinstance(error, ImproperlyConfigured):
                log_wrong_setting(error)
            raise CommandError(describe(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_dict()))
        elif report.claimed or report.checked or not options["loop"]:
            self.last_trouble = ""
            self.stdout.write(summary(report))
        else:
            self.print_trouble(self.stdout, summary(report) if report.halted else "")
        return report

    def work(self, options: dict[str, Any], stopping: Callable[[], bool]) -> RunReport:
        """Do the steps of one run: sweep, send, check statuses, and what is due at times."""
        report = sweep_leftovers() if options["refresh_only"] else self.send(options, stopping)
        if not options["no_refresh"]:
            if options["loop"] and not options["refresh_only"]:
                stopping = or_message_due(stopping, halted=bool(report.halted))
            alive = partial(self.alive, options)
            report = refresh(report, stopping=stopping, patient=options["loop"], alive=alive)
        self.forget_mailings()
        # Not in runs that had nothing to do, which stay cheap, nor in trouble.
        if (report.claimed or report.checked) and not report.exit_code:
            self.count_days()
        return report

    def send(self, options: dict[str, Any], stopping: Callable[[], bool]) -> RunReport:
        """Sweep and send, with a progress bar on a terminal."""
        screen = Output(sys.stderr)
        quiet = options["json"] or options["loop"] or not screen.isatty()
        total = None if quiet else SmsMessage.objects.for_write().due().count()
        with tqdm(total=total, disable=quiet, unit=" SMS", leave=False, file=screen) as bar:
            return deliver(
                limit=options["limit"],
                batch_size=options["batch_size"],
                concurrency=options["concurrency"],
                stopping=stopping,
                progress=bar.update,
                alive=partial(self.alive, options),
            )

    def forget_mailings(self) -> None:
        """Delete the mailings that nobody confirmed, at most once an hour."""
        if time.monotonic() < self.mailings_due:
            return
        self.mailings_due = time.monotonic() + MAILINGS_INTERVAL
        try:
            SmsMailing.objects.forget()
        except Error as error:  # no failure of the run: its messages are recorded
            logger.warning("mailings.kept error=%s", type(error).__name__)

    def count_days(self) -> None:
        """Bring the daily totals up to date, at most every five minutes."""
        if time.monotonic() < self.totals_due:
            return
        self.totals_due = time.monotonic() + RECENT_AGE.total_seconds()
        try:
            count_days(seconds=JOB_SECONDS)
        except Error as error:  # no failure of the run: its messages are recorded
            logger.warning("totals.kept error=%s", type(error).__name__)

    def print_trouble(self, stream: OutputWrapper, text: str) -> None:
        """Print a line once, and not after each interval of a long outage."""
        if text and text != self.last_trouble:
            stream.write(text)
        self.last_trouble = text

    def dry_run(self, *, as_json: bool) -> None:
        """Count what a run would do; write nothing, and send no request."""
        with errors_named():
            messages, due = SmsMessage.objects.for_write(), SmsBatch.objects.checkable()
            plan = {
                "due": messages.due().count(),
                "due_for_refresh": messages.asked_for().filter(batch__in=due).count(),
                "lost_batches": SmsBatch.objects.lost().count(),
                "unapplied_batches": SmsBatch.objects.unapplied().count(),
            }
        lines = [f"{name}: {count}" for name, count in plan.items()]
        self.stdout.write(json.dumps(plan) if as_json else "\n".join(lines))


def how_it_waits(interval: float, *, hears: bool) -> str:
    """Return the first line of the loop: how it learns of new messages."""
    if hears:
        text = _("New messages are sent at once. The database is also polled every %(seconds)s s.")
    else:
        text = _("New messages are found by polling the database every %(seconds)s s.")
    return text % {"seconds": f"{interval:g}"}


def or_message_due(stopping: Callable[[], bool], *, halted: bool) -> Callable[[], bool]:
    """Also stop checking statuses, after the first request, if a message is due to be sent.

    After a ``halted`` run, only a message that can still be claimed counts, such as an urgent one
    within the share of the pace that is kept for urgent messages.
    """
    requests = itertools.count()
    is_due = can_claim if halted else lambda: bool(candidates.due(1, 1))
    return lambda: stopping() or (next(requests) > 0 and is_due())


def describe(error: Exception) -> str:
    """Return what is wrong, without the text of an error that can quote a row."""
    if isinstance(error, Error):
        return database_trouble(error)
    if isinstance(error, (CommandError, ImproperlyConfigured)):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return _("The run ended with %(error)s in %(file)s, line %(line)d.") % {
        "error": type(error).__name__,
        "file": place.filename,
        "line": place.lineno,
    }
