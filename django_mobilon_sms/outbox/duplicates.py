"""The same text to the same number a short while ago is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ..choices import Status
from ..conf import conf
from ..models import SmsMessage, db_now

DUPLICATE = _("This number was sent the same text a short while ago.")


#: How many numbers one SELECT carries.
CHUNK = 1000


#: Messages that did not go out are no reason to refuse another try.
NOT_SENT = (Status.FAILED, Status.EXPIRED, Status.CANCELLED)


def recently_sent(numbers: Collection[str], alias: str) -> set[tuple[str, str]]:
    """Return which of these numbers, at most ``CHUNK``, were sent which text a short while ago."""
    if conf.DUPLICATE_WITHIN is None:
        return set()
    since = db_now() - timedelta(seconds=conf.DUPLICATE_WITHIN)
    recent = SmsMessage.objects.using(alias).exclude(status__in=NOT_SENT)
    rows = recent.filter(number__in=numbers, created_at__gt=since)
    return set(rows.values_list("number", "text"))


def duplicates(new: Sequence[SmsMessage], alias: str) -> Iterator[UUID]:
    """Whose number got the same text before, or earlier among the new."""
    own = {message.guid for message in new}
    seen: set[tuple[str, str]] = set()
    since = db_now() - timedelta(seconds=conf.DUPLICATE_WITHIN or 0)
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


def is_duplicate() -> ValidationError:
    return ValidationError({"text": ValidationError(DUPLICATE, code="duplicate")})
