"""``manage.py sms_totals``: brings the daily totals of the reports up to date."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import ngettext

from ...operations import count_days, recount_days
from ..errors import errors_named
from ..output import WorkingCommand


class Command(WorkingCommand):
    """Counts the messages of past days for the reports."""

    help = (
        "Counts the messages of past days, for the reports and REST's summary. A worker does it"
        " in its runs."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the option."""
        parser.add_argument(
            "--rebuild",
            action="store_true",
            help="Count all days again, for example after a change of TIME_ZONE.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, and print how many days."""
        with errors_named():
            days = recount_days() if options["rebuild"] else count_days()
        self.stdout.write(ngettext("Counted %d day.", "Counted %d days.", days) % days)
