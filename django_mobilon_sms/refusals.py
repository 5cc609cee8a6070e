"""What is right in itself and is not written nevertheless: to a stopped number, or a double."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .choices import Status
from .conf import conf
from .models import SmsMessage, StoppedNumber, db_now

STOPPED = _("This number is on the stop list.")
DOUBLE = _("This number was sent the same text a short while ago.")
#: How many numbers one SELECT carries.
CHUNK = 1000
#: Messages that did not go out are no reason to refuse another try.
NOT_SENT = (Status.FAILED, Status.EXPIRED, Status.CANCELLED)


def refusals(new: Sequence[SmsMessage], alias: str) -> dict[UUID, ValidationError]:
    """Those of the messages written just now that must not stay, by their guid."""
    refused: dict[UUID, ValidationError] = {}
    for start in range(0, len(new), CHUNK):
        part = new[start : start + CHUNK]
        stopped = stopped_numbers({message.number for message in part}, alias)
        refused |= {message.guid: _is_stopped() for message in part if message.number in stopped}
    if conf.DOUBLE_WITHIN is not None:
        refused |= {guid: _is_double() for guid in _doubles(new, alias) if guid not in refused}
    return refused


def stopped_numbers(numbers: Collection[str], alias: str) -> set[str]:
    """Which of these numbers, at most ``CHUNK``, are on the stop list."""
    rows = StoppedNumber.objects.using(alias).filter(number__in=numbers)
    return set(rows.values_list("number", flat=True))


def got_lately(numbers: Collection[str], alias: str) -> set[tuple[str, str]]:
    """Which of these numbers, at most ``CHUNK``, got which text so lately that it is a double."""
    if conf.DOUBLE_WITHIN is None:
        return set()
    since = db_now() - timedelta(seconds=conf.DOUBLE_WITHIN)
    recent = SmsMessage.objects.using(alias).exclude(status__in=NOT_SENT)
    rows = recent.filter(number__in=numbers, created_at__gt=since)
    return set(rows.values_list("number", "text"))


def _doubles(new: Sequence[SmsMessage], alias: str) -> Iterator[UUID]:
    """Whose number got the same text before, or earlier among the new."""
    own = {message.guid for message in new}
    seen: set[tuple[str, str]] = set()
    since = db_now() - timedelta(seconds=conf.DOUBLE_WITHIN or 0)
    recent = SmsMessage.objects.using(alias).exclude(status__in=NOT_SENT)
    for start in range(0, len(new), CHUNK):
        numbers = {message.number for message in new[start : start + CHUNK]}
        rows = recent.filter(number__in=numbers, created_at__gt=since)
        found = rows.values_list("guid", "number", "text")
        seen |= {(number, text) for guid, number, text in found if guid not in own}
    for message in new:
        if (message.number, message.text) in seen:
            yield message.guid
        seen.add((message.number, message.text))


def _is_stopped() -> ValidationError:
    return ValidationError({"number": ValidationError(STOPPED, code="stopped")})


def _is_double() -> ValidationError:
    return ValidationError({"text": ValidationError(DOUBLE, code="double")})
