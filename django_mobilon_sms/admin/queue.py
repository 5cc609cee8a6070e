"""The queue and the gateway now: what waits, how fast it goes, when it will be empty."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ..choices import Outcome, Priority, Status
from ..models import SmsBatch, SmsMessage
from .counting import count_up_to

#: Up to so many waiting messages are counted.
MOST = 1_000_000
#: The rate is that of the latest batches, at most so many, of the last ten minutes.
LATEST = 100
RECENT = timedelta(minutes=10)
#: So many batches are shown.
SHOWN = 10


class Queue(NamedTuple):
    """``rate`` is in messages a minute; ``empty_in`` is ``None`` where nobody can tell."""

    waiting: int
    has_more: bool
    oldest: datetime | None
    rate: float
    empty_in: timedelta | None
    batches: Sequence[SmsBatch]


def look(at: datetime) -> Queue:
    """What is due at this time and has not gone out."""
    due = SmsMessage.objects.filter(status=Status.PENDING, due_at__lte=at)
    # All priorities are named, because the index has them before the time.
    counted = count_up_to(due.filter(priority__in=Priority.values), MOST)
    waiting, rate = min(counted, MOST), _rate(at)
    oldest = [due.filter(priority=each).order_by("due_at", "pk").first() for each in Priority]
    empty_in = timedelta(minutes=waiting / rate) if rate else None
    return Queue(
        waiting,
        counted > MOST,
        min((message.due_at for message in oldest if message), default=None),
        rate,
        empty_in if waiting else timedelta(),
        list(SmsBatch.objects.defer("reply").order_by("-created_at")[:SHOWN]),
    )


def _rate(at: datetime) -> float:
    """Messages a minute that the gateway answered for."""
    batches = SmsBatch.objects.filter(created_at__gte=at - RECENT, outcome=Outcome.ANSWERED)
    latest = batches.order_by("-created_at").values_list("created_at", "guids")[:LATEST]
    if not (found := list(latest)):
        return 0.0
    # From the oldest of them until now, unless there may be older ones: then nothing went before.
    since = found[-1][0] if len(found) == LATEST else at - RECENT
    seconds = max(1.0, (at - since).total_seconds())
    return sum(len(guids) for _created, guids in found) * 60 / seconds
