"""``manage.py import_orders orders.csv``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from shop.imports import BadFile, Report, import_orders
from shop.models import Order


class Command(BaseCommand):
    """Writes the orders of a file and their SMS."""

    help = (
        "Imports orders from a CSV file with the columns number, customer, phone, status, total"
        " and text, and writes the text as an SMS to each. Bad rows are named and skipped; what"
        " was imported before is not written again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file."""
        parser.add_argument("file", type=Path, help="CSV in UTF-8, its columns named on line 1.")
        parser.add_argument(
            "--if-empty", action="store_true", help="Do nothing where there are orders already."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, name what is bad, and count."""
        if options["if_empty"] and Order.objects.exists():
            self.stdout.write(_("There are orders already."))
            return
        try:
            with options["file"].open(encoding="utf-8-sig", newline="") as file:
                report = import_orders(file)
        except OSError as error:
            reason = {"file": options["file"], "reason": error.strerror}
            raise CommandError(_("%(file)s cannot be read: %(reason)s.") % reason) from error
        except UnicodeDecodeError as error:
            raise CommandError(_("The file is not in UTF-8. Save it as CSV UTF-8.")) from error
        except BadFile as error:
            raise CommandError(str(error)) from error
        self.stdout.write("\n".join(summary(report)))


def summary(report: Report) -> Iterator[str]:
    """A line for each fault, then the counts."""
    for fault in report.faults:
        yield _("Line %(line)d, order %(order)s, %(column)s: %(reason)s") % fault._asdict()
    yield _("Orders written: %d") % report.orders
    yield _("SMS written: %d") % report.messages
    yield _("Already there: %d") % report.known
    yield _("Rows skipped: %d") % report.skipped
