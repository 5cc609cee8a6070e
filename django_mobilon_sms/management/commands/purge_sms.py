"""``manage.py purge_sms``: deletes old messages that have ended, and old batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import ngettext

from ...conf import conf, require_valid
from ...operations import Purged, purge
from ..arguments import duration
from ..errors import errors_named
from ..output import WorkingCommand


class Command(WorkingCommand):
    """Deletes ended messages and batches, or only forgets texts."""

    help = (
        "Deletes old messages that have ended, and their requests. Messages that may still be sent,"
        " or wait for a decision, are kept."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--older-than",
            type=duration,
            required=True,
            metavar="LENGTH",
            help="Age of the messages to delete, for example 180d.",
        )
        parser.add_argument("--only-text", action="store_true", help="Only delete the texts.")
        parser.add_argument("--dry-run", action="store_true", help="Only count.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Purge, and print how many rows."""
        only_text, dry_run = options["only_text"], options["dry_run"]
        with errors_named():
            require_valid("EVENTS")
            purged = purge(options["older_than"], only_text=only_text, dry_run=dry_run)
        self.stdout.write(summary(purged, only_text=only_text, dry_run=dry_run))


def summary(purged: Purged, *, only_text: bool, dry_run: bool) -> str:
    """Return what was deleted, or would be."""
    if only_text:
        text = ngettext("Forgot %d text.", "Forgot %d texts.", purged.texts)
        if dry_run:
            text = ngettext("Would forget %d text.", "Would forget %d texts.", purged.texts)
        return text % purged.texts
    messages = ngettext("Deleted %d message.", "Deleted %d messages.", purged.messages)
    batches = ngettext("Deleted %d request.", "Deleted %d requests.", purged.batches)
    if dry_run:
        messages = ngettext(
            "Would delete %d message.", "Would delete %d messages.", purged.messages
        )
        batches = ngettext("Would delete %d request.", "Would delete %d requests.", purged.batches)
    lines = [messages % purged.messages, batches % purged.batches]
    return "\n".join([*lines, *event_lines(purged, dry_run=dry_run)])


def event_lines(purged: Purged, *, dry_run: bool) -> Iterator[str]:
    """Yield the lines about events, if events are kept."""
    if conf.EVENTS is None:
        return
    text = ngettext("Deleted %d event.", "Deleted %d events.", purged.events)
    if dry_run:
        text = ngettext("Would delete %d event.", "Would delete %d events.", purged.events)
    yield text % purged.events
    if purged.dropped:
        yield (
            ngettext(
                "%d of them was never read by a consumer.",
                "%d of them were never read by a consumer.",
                purged.dropped,
            )
            % purged.dropped
        )
