"""``manage.py sms_watchdog``: an SMS to one's own phone, to see that messages are really sent."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from ...choices import explain
from ...conf import show_time
from ...operations import Watch, watch
from ...phone_numbers import mask_number
from ...worker import TROUBLE
from ..arguments import duration, recipient
from ..errors import errors_named
from ..output import WorkingCommand

#: A shorter interval would send more than one message a minute.
SHORTEST = timedelta(minutes=1)
#: The messages of the intervals before are looked for, by their times.
LONGEST = timedelta(days=366)


class Command(WorkingCommand):
    """Writes one urgent message for each interval, and judges the last one."""

    help = (
        "Writes one urgent message for each interval to your own phone, and checks whether the"
        " last one was sent. Run it every minute, on any number of hosts."
        " Exit: 0 all well; 1 the database cannot be used; 2 wrong usage;"
        " 3 the last message was not sent in time, or this one could not be written."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        add, length = parser.add_argument, partial(parser.add_argument, type=duration)
        add("--to", type=recipient, required=True, metavar="NUMBER", help="Your own phone.")
        length(
            "--every",
            metavar="LENGTH",
            default=timedelta(hours=1),
            help="Time from one message to the next, 1m or more (default: 1h).",
        )
        length(
            "--sent-within",
            metavar="LENGTH",
            default=timedelta(minutes=10),
            help="Time in which a message must be sent, at most --every (default: 10m).",
        )
        add("--source", help="Sender, instead of MOBILON_SMS_SOURCE.")
        add("--json", action="store_true", help="Print a JSON object.")

    @sensitive_variables("options")
    def handle(self, *args: Any, **options: Any) -> None:
        """Write and judge, print what was found, and exit with its code."""
        every, sent_within = options["every"], options["sent_within"]
        if every < SHORTEST:
            raise CommandError(_("--every: must be 1m or more."), returncode=2)
        if every > LONGEST:
            raise CommandError(_("--every: must be at most 366d."), returncode=2)
        if sent_within > every:
            raise CommandError(_("--sent-within: must not be longer than --every."), returncode=2)
        with errors_named():
            found = watch(
                options["to"], every=every, sent_within=sent_within, source=options["source"]
            )
        number = mask_number(options["to"])
        self.stdout.write(
            as_json(found, number) if options["json"] else "\n".join(lines(found, number))
        )
        if not found.is_well:
            sys.exit(TROUBLE)


def as_json(found: Watch, number: str) -> str:
    """Return what was found for a monitor: times in ISO 8601."""
    last = found.last and {
        "guid": str(found.last.guid),
        "status": found.last.status,
        "error_code": found.last.error_code,
        "created_at": found.last.created_at.isoformat(),
        "sent_at": found.last.sent_at and found.last.sent_at.isoformat(),
    }
    return json.dumps(
        {
            "number": number,
            "refusal": found.refusal,
            "last": last,
            "late": found.is_late,
            "exit_code": 0 if found.is_well else TROUBLE,
        },
        ensure_ascii=False,
    )


def lines(found: Watch, number: str) -> Iterator[str]:
    """Yield what was found for a person."""
    if found.refusal:
        values = {"number": number, "refusal": found.refusal}
        yield _("The message to %(number)s could not be written. %(refusal)s") % values
    else:
        yield _("The message to %(number)s is written.") % {"number": number}
    if found.last is None:
        yield _("There is no earlier message to check yet.")
        return
    values = {
        "created": show_time(found.last.created_at),
        "sent": show_time(found.last.sent_at),
        "status": found.last.get_status_display(),
    }
    if found.is_late and not values["sent"]:
        yield _("The last message, of %(created)s, was not sent in time: %(status)s.") % values
        if found.last.error_code:
            yield explain(found.last.error_code)
    elif found.is_late:
        yield _("The last message, of %(created)s, was sent late, at %(sent)s.") % values
    else:
        yield _("The last message, of %(created)s, was sent at %(sent)s.") % values
