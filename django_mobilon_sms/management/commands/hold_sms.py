"""``manage.py hold_sms``: for a restored backup or a copied database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ... import events
from ...choices import ErrorCode, Status
from ...models import SmsMessage
from ..errors import errors_named
from ..output import WorkingCommand


class Command(WorkingCommand):
    """Makes every pending message unknown, after a question."""

    help = (
        "Makes every pending message 'unknown' (held), so that a restored backup or a copied"
        " database sends no message twice. People then decide about them in the admin."
        " Cursors of events that were given out before are refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--no-input", action="store_true", help="Do not ask.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, hold, and print how many."""
        try:
            with errors_named():
                text = self.hold(ask=not options["no_input"])
        except EOFError:
            text = _("Nobody answers. Give --no-input to hold without a question.")
            raise CommandError(text) from None
        self.stdout.write(text)

    def hold(self, *, ask: bool) -> str:
        """Hold the messages, and return how many they are, unless a person refuses."""
        pending = SmsMessage.objects.for_write().filter(status=Status.PENDING)
        if ask:
            question = ngettext(
                "Hold %d pending message? Type yes: ",
                "Hold %d pending messages? Type yes: ",
                count := pending.count(),
            )
            if input(question % count) != "yes":
                return _("Nothing was changed.")
        events.begin_anew()
        held = pending.hold(ErrorCode.HELD)
        return ngettext("Held %d message.", "Held %d messages.", held) % held
