"""How many messages one number may get within an hour from those who write over REST."""

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
    """Those of the messages that are not written yet which are too many for their number."""
    numbers = {message.number for message in messages if message.was_written}
    if (most := conf.REST_HOURLY_PER_NUMBER) is None or not numbers:
        return {}
    written, refused = _written(numbers), {}
    here: dict[str, set[UUID]] = defaultdict(set)  # by guid: one may stand in a list twice
    for place, message in enumerate(messages):
        if not message.was_written:
            continue
        here[message.number].add(message.guid)
        count = len(here[message.number])
        if count > most:
            refused[place] = _too_many(most)
        elif written[message.number] + count > most:
            refused[place] = _limit_reached(most)
    return refused


def _written(numbers: Collection[str]) -> Counter[str]:
    rows = SmsMessage.objects.for_write().filter(number__in=numbers, created_at__gt=db_now() - HOUR)
    counted = rows.exclude(status__in=NOT_SENT).order_by().values("number")
    return Counter(dict(counted.annotate(count=Count("pk")).values_list("number", "count")))


def _limit_reached(most: int) -> ValidationError:
    message = _("Only %(most)d messages an hour are written to one number. Try again later.")
    error = ValidationError(message, code="number_limit", params={"most": most})
    return ValidationError({"number": error})


def _too_many(most: int) -> ValidationError:
    message = _("Only %(most)d messages an hour are written to one number, and here are more.")
    error = ValidationError(message, code="too_many", params={"most": most})
    return ValidationError({"number": error})
