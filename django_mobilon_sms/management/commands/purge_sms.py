"""``manage.py purge_sms``: keeps ended messages, and the journal, no longer than needed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils.translation import ngettext

from ...conf import database_trouble
from ...operations import Purged, purge
from ..arguments import duration


class Command(BaseCommand):
    """Deletes what has ended long ago."""

    help = (
        "Deletes messages that have ended, and the requests they went with, if they were written"
        " longer ago; what may still be sent, or waits for a decision, is kept."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument(
            "--older-than",
            type=duration,
            required=True,
            metavar="LENGTH",
            help="Written longer ago than this, for example 180d.",
        )
        parser.add_argument(
            "--only-text", action="store_true", help="Forget the texts, and keep the rest."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only count.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Purge, and say how much."""
        only_text, dry_run = options["only_text"], options["dry_run"]
        try:
            purged = purge(options["older_than"], only_text=only_text, dry_run=dry_run)
        except DatabaseError as error:
            raise CommandError(database_trouble(error)) from error
        self.stdout.write("\n".join(lines(purged, only_text=only_text, dry_run=dry_run)))


def lines(purged: Purged, *, only_text: bool, dry_run: bool) -> list[str]:
    """What was done, or would be."""
    if only_text:
        text = ngettext("Forgot %d text.", "Forgot %d texts.", purged.texts)
        if dry_run:
            text = ngettext("Would forget %d text.", "Would forget %d texts.", purged.texts)
        return [text % purged.texts]
    messages = ngettext("Deleted %d message.", "Deleted %d messages.", purged.messages)
    batches = ngettext("Deleted %d request.", "Deleted %d requests.", purged.batches)
    if dry_run:
        messages = ngettext(
            "Would delete %d message.", "Would delete %d messages.", purged.messages
        )
        batches = ngettext("Would delete %d request.", "Would delete %d requests.", purged.batches)
    return [messages % purged.messages, batches % purged.batches]
