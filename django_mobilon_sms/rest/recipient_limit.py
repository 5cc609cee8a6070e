"""The limit of messages that one number may get within an hour over REST."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from ..choices import NOT_SENT
from ..conf import conf
from ..models import SmsMessage, db_now

HOUR = timedelta(hours=1)


def over_limit(messages: Sequence[SmsMessage]) -> dict[int, ValidationError]:
    """Return a fault for each new message that exceeds the limit of its number, by its place.

    ``was_written`` marks the new messages among those of the request.
    """
    numbers = {message.number for message in messages if message.was_written}
    if (most := conf.REST_HOURLY_PER_NUMBER) is None or not numbers:
        return {}
    recent, refused = _recent_counts(numbers), {}
    requested: dict[str, set[UUID]] = defaultdict(set)  # by guid: a list may repeat a message
    for place, message in enumerate(messages):
        if not message.was_written:
            continue
        requested[message.number].add(message.guid)
        count = len(requested[message.number])
        if count > most:
            refused[place] = _too_many(most)
        elif recent[message.number] + count > most:
            refused[place] = _limit_reached(most)
    return refused


def _recent_counts(numbers: Collection[str]) -> Counter[str]:
    """Return how many messages each number got within the last hour."""
    rows = SmsMessage.objects.for_write().filter(number__in=numbers, created_at__gt=db_now() - HOUR)
    counted = rows.exclude(status__in=NOT_SENT).order_by().values("number")
    return Counter(dict(counted.annotate(count=Count("pk")).values_list("number", "count")))


def _limit_reached(most: int) -> ValidationError:
    message = _("One number may get %(most)d messages an hour. Try again later.")
    error = ValidationError(message, code="number_limit", params={"most": most})
    return ValidationError({"number": error})


def _too_many(most: int) -> ValidationError:
    message = _("One number may get %(most)d messages an hour, and this request has more.")
    error = ValidationError(message, code="too_many", params={"most": most})
    return ValidationError({"number": error})
