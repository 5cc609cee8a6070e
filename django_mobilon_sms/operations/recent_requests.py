"""What the journal says of the last minutes: requests by result, and the time to acceptance.

The figures are of a period and are not counters, because a purge would turn counters back. Only the
newest requests are read, by their index, however long the journal is.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, Sum

from ..choices import Outcome
from ..models import SmsBatch, SmsMessage, db_now

#: The period of these figures.
PERIOD = timedelta(minutes=10)

#: How many requests are counted, and of how many the messages are read; the newest ones.
MOST_REQUESTS, MOST_ANSWERED = 1_000, 100

#: The upper bounds of the histogram, in seconds.
BOUNDS = (1, 5, 15, 60, 300, 900, 3600)


@dataclasses.dataclass(frozen=True)
class RequestCount:
    """The number of recent requests with this result; without an outcome, they are under way."""

    outcome: str
    error_code: str
    requests: int


@dataclasses.dataclass(frozen=True)
class AcceptedAfter:
    """How long messages of recent requests had been due when the gateway accepted them."""

    #: The number of messages by the most seconds that they took; ``+Inf`` for all of them.
    within: dict[str, int]
    total: timedelta  # the sum of their times


def recent_requests() -> tuple[list[RequestCount], AcceptedAfter]:
    """Return the recent requests by result, and the times of their accepted messages."""
    begun = SmsBatch.objects.for_write().filter(created_at__gt=db_now() - PERIOD)
    newest = begun.order_by("-created_at").values_list("outcome", "error_code", "pk")
    rows = list(newest[:MOST_REQUESTS])
    counts = Counter((outcome, error_code) for outcome, error_code, _ in rows)
    answered = [pk for outcome, _, pk in rows if outcome == Outcome.ANSWERED]
    return (
        [RequestCount(*result, requests) for result, requests in counts.items()],
        _accepted_after(answered[:MOST_ANSWERED]),
    )


def _accepted_after(batches: Sequence[UUID]) -> AcceptedAfter:
    """Return the times of the messages of these batches, unless accepted before they were due."""
    rows = SmsMessage.objects.for_write().filter(batch__in=batches, accepted_at__gte=F("due_at"))
    names = {str(bound): f"within_{bound}" for bound in BOUNDS} | {"+Inf": "messages"}
    counts: dict[str, Any] = {}
    for bound in BOUNDS:
        in_time = Q(accepted_at__lte=F("due_at") + timedelta(seconds=bound))
        counts[f"within_{bound}"] = Count("pk", filter=in_time)
    total = Sum(F("accepted_at") - F("due_at"))
    sums = rows.aggregate(messages=Count("pk"), total=total, **counts)
    within = {bound: sums[name] for bound, name in names.items()}
    return AcceptedAfter(within, sums["total"] or timedelta())
