"""What a monitor asks of the outbox: what waits and for how long, how fast it goes, what is wrong.

It costs the same however many rows there are: everything is found by an index, and counted up to
a bound.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet

from .choices import Outcome, Priority, Status
from .clock import db_now
from .conf import conf
from .models import GatewayState, SmsBatch, SmsMessage

#: Up to so many rows a count is exact.
MOST = 100_000
#: What the rate is taken of: the requests of so long, and at most so many of them.
SPAN, REQUESTS = timedelta(minutes=5), 100
#: How many of the last requests are shown.
LAST = 5


class LastRequest(NamedTuple):
    """A line of the journal; an empty ``outcome`` is a request that may be under way."""

    created_at: datetime
    outcome: str
    error_code: str
    messages: int


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The outbox at one moment of the database's clock. A count of ``MOST + 1`` means more."""

    now: datetime
    gateway: str  # ready, probing, blocked, paused or disabled
    blocked_until: datetime | None
    failures: int
    waiting: int  # due now
    oldest_waiting: timedelta | None  # how long the first of them is due
    scheduled: int  # pending, and not due yet
    sending: int
    asked_for: int  # accepted, and their status still asked for
    unknown: int  # without a decision
    rate: float  # messages a minute
    last_requests: Sequence[LastRequest]

    @property
    def time_to_empty(self) -> timedelta | None:
        """How long what waits takes at this rate; ``None`` while nothing goes out."""
        if not self.waiting:
            return timedelta()
        return timedelta(minutes=self.waiting / self.rate) if self.rate else None


def observe() -> Snapshot:
    """Look at the outbox; writes nothing."""
    state = GatewayState.objects.seen() or _unwritten()
    messages = SmsMessage.objects.on_primary()
    pending = messages.filter(status=Status.PENDING)
    # A priority at a time, as the index has them: it then reads no message of the future.
    each = [pending.filter(priority=priority) for priority in Priority]
    first = [rows.filter(due_at__lte=db_now()).order_by("due_at") for rows in each]
    ages = [now - due for rows in first for due, now in _with_time(rows)[:1]]
    return Snapshot(
        now=state.now,
        gateway=condition(state),
        blocked_until=state.blocked_until,
        failures=state.failures,
        waiting=_count(*first),
        oldest_waiting=max(ages, default=None),
        scheduled=_count(*(rows.filter(due_at__gt=db_now()) for rows in each)),
        sending=_count(messages.filter(status=Status.SENDING)),
        asked_for=_count(messages.filter(next_check_at__isnull=False)),
        unknown=_count(messages.filter(status=Status.UNKNOWN, resolution="")),
        rate=_rate(state.now),
        last_requests=_last_requests(),
    )


def condition(state: GatewayState) -> str:
    """Whether messages go out now, in a word."""
    if not conf.ENABLED:
        return "disabled"
    if state.paused_at:
        return "paused"
    if state.blocked_until is None:
        return "ready"
    return "blocked" if state.blocked_until > state.now else "probing"


def _unwritten() -> GatewayState:
    """The state before the first run, whose row a monitor does not write."""
    state = GatewayState()
    state.now = datetime.now().astimezone()
    return state


def _with_time(rows: QuerySet[SmsMessage]) -> QuerySet[Any, Any]:
    return rows.annotate(now=db_now()).values_list("due_at", "now")


def _count(*parts: QuerySet[SmsMessage]) -> int:
    return min(sum(rows.order_by().values("pk")[: MOST + 1].count() for rows in parts), MOST + 1)


def _rate(now: datetime) -> float:
    """Messages a minute that the gateway answered to."""
    answered = SmsBatch.objects.on_primary().filter(
        outcome=Outcome.ANSWERED, created_at__gt=db_now() - SPAN
    )
    found = list(answered.order_by("-created_at").values_list("created_at", "guids")[:REQUESTS])
    if not found:
        return 0.0
    span = SPAN if len(found) < REQUESTS else now - found[-1][0]
    return sum(len(guids) for _, guids in found) / max(span.total_seconds(), 1.0) * 60


def _last_requests() -> list[LastRequest]:
    last = SmsBatch.objects.on_primary().order_by("-created_at")
    rows = last.values_list("created_at", "outcome", "error_code", "guids")[:LAST]
    return [LastRequest(at, outcome, code, len(guids)) for at, outcome, code, guids in rows]
