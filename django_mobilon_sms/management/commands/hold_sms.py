"""``manage.py hold_sms``: for a restored backup or a copied database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ...choices import ErrorCode, Status
from ...models import SmsMessage


class Command(BaseCommand):
    """Holds back everything that waits."""

    help = (
        "Puts every pending message to 'unknown' (held), so that a restored backup or a copied"
        " database does not send again what was sent. People then decide in the admin."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("--no-input", action="store_true", help="Ask nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, then hold."""
        pending = SmsMessage.objects.for_write().filter(status=Status.PENDING)
        if not options["no_input"]:
            question = ngettext(
                "Hold %d pending message? Type yes: ",
                "Hold %d pending messages? Type yes: ",
                count := pending.count(),
            )
            if input(question % count) != "yes":
                self.stdout.write(_("Nothing was changed."))
                return
        held = pending.hold(ErrorCode.HELD)
        self.stdout.write(ngettext("Held %d message.", "Held %d messages.", held) % held)
