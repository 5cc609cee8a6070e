"""What is offered in the list: for a list that is narrowed, and for each of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.utils import timezone

from ...choices import Status
from ...models import SmsMessage
from . import catalogue

#: Django's own action, for those who may delete.
DELETE = "delete_selected"


#: The status of all messages that these filters leave.
STATUS_OF_FILTER = {
    ("decision", "none"): Status.UNKNOWN,
    ("decision", "sent"): Status.UNKNOWN,
    ("decision", "given_up"): Status.UNKNOWN,
    ("waits", "long"): Status.PENDING,
}


def of_row(message: SmsMessage) -> Iterator[str]:
    """The names of the actions that may be possible for a message of the list."""
    yield from (verb.name for verb in catalogue.VERBS if verb.fits(message))
    if getattr(message, "has_ended", True):
        yield DELETE


def of_list(narrowed: Mapping[str, str]) -> set[str]:
    """The names of the actions that may be possible for messages of a list so narrowed."""
    chosen = [narrowed.get("status__exact", "")]
    chosen += [status for pair, status in STATUS_OF_FILTER.items() if pair in narrowed.items()]
    named = [set(_of_status(Status(status))) for status in chosen if status in Status.values]
    everything = {verb.name for verb in catalogue.VERBS} | {DELETE}
    return everything.intersection(*named)


def _of_status(status: Status) -> Iterator[str]:
    message = SmsMessage(status=status, next_check_at=timezone.now())
    yield from (verb.name for verb in catalogue.VERBS if verb.fits(message))
    if status not in (Status.PENDING, Status.SENDING):
        yield DELETE
