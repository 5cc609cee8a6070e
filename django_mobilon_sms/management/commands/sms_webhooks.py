"""``manage.py sms_webhooks``: the consumers of webhooks, and how to deliver to them again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from ...conf import configured_webhooks, show_time
from ...models import WebhookConsumer
from ...webhooks import (
    ConsumerState,
    consumer_states,
    deliver_again,
    deliver_once,
    show_count,
)
from ..arguments import moment
from ..errors import errors_named
from ..output import WorkingCommand

#: By the word of ``ConsumerState.state``.
STATES = {
    "works": pgettext_lazy("webhook", "works"),
    "failing": gettext_lazy("fails; the next try is at %(time)s"),
    "stopped": gettext_lazy("stopped: it answered 410 at %(time)s"),
    "new": gettext_lazy("new: it gets the events from now on"),
    "not_configured": gettext_lazy("not in MOBILON_SMS_WEBHOOKS; nothing is delivered to it"),
}


class Command(WorkingCommand):
    """Shows the consumers, delivers to them once, or changes one of them."""

    help = (
        "Shows how far every consumer of webhooks has got."
        " Exit: 0 done; 1 the database cannot be read, or there is no such consumer; 2 wrong usage."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("name", nargs="?", metavar="NAME", help="Only this consumer.")
        acts = parser.add_mutually_exclusive_group()
        acts.add_argument("--deliver", action="store_true", help="Deliver what is due, once.")
        acts.add_argument(
            "--again-from",
            type=moment,
            metavar="TIME",
            help="Deliver the events since this time to NAME again, in order: a time, or 2h.",
        )
        acts.add_argument(
            "--start", action="store_true", help="Deliver again to NAME, which has answered 410."
        )
        parser.add_argument("--json", action="store_true", help="Print a JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply the options, then print the consumers."""
        with errors_named():
            self.act(**options)
            states = [one for one in consumer_states() if options["name"] in (None, one.name)]
        if options["json"]:
            self.stdout.write(json.dumps({"consumers": [as_dict(state) for state in states]}))
        else:
            lines = [line for state in states for line in lines_of(state)]
            self.stdout.write("\n".join(lines or [_("There are no consumers.")]))

    def act(
        self, *, name: str | None, deliver: bool, again_from: Any, start: bool, **options: Any
    ) -> None:
        """Deliver, deliver again or start."""
        consumer = None if name is None else WebhookConsumer.objects.peek(name)
        if name is not None and consumer is None:
            if name not in configured_webhooks():
                raise CommandError(_("There is no consumer %s.") % name)
            if again_from or start:
                raise CommandError(_("The consumer %s is new: it has got no event yet.") % name)
        if deliver:
            deliver_once(name)
        if not (again_from or start):
            return
        if consumer is None:
            raise CommandError(_("Name the consumer: manage.py sms_webhooks NAME ..."))
        if again_from:
            is_length = isinstance(again_from, timedelta)
            deliver_again(consumer, consumer.now - again_from if is_length else again_from)
        if start:
            WebhookConsumer.objects.start(consumer)


def as_dict(state: ConsumerState) -> dict[str, Any]:
    """Return a consumer for a monitor; times in ISO 8601."""
    consumer = state.consumer
    times = ("stopped_at", "next_try_at", "last_success_at", "last_error_at")
    return {
        "name": state.name,
        "state": state.state,
        "url": state.webhook.url if state.webhook else None,
        "behind": state.behind,
        "given_up": state.given_up,
        "delivered": consumer.delivered,
        "failures": consumer.failures,
        "last_error": consumer.last_error,
        "last_http_code": consumer.last_http_code,
        **{name: (at := getattr(consumer, name)) and at.isoformat() for name in times},
    }


def lines_of(state: ConsumerState) -> Iterator[str]:
    """Yield a consumer for a person."""
    consumer = state.consumer
    time = show_time(consumer.stopped_at or consumer.next_try_at)
    yield f"{state.name}: {STATES[state.state] % {'time': time}}"
    yield "  " + _("Delivered: %s") % consumer.delivered
    if state.behind:
        yield "  " + _("Not delivered yet: %s") % show_count(state.behind)
    if state.given_up:
        text = ngettext("Given up: %s event", "Given up: %s events", state.given_up)
        yield "  " + text % show_count(state.given_up)
    if consumer.last_error:
        words = {"time": show_time(consumer.last_error_at), "error": consumer.error_sentence}
        yield "  " + _("Last error, %(time)s: %(error)s") % words
