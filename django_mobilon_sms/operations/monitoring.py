"""What a monitor asks of the outbox: what waits and for how long, how fast it goes, what is wrong.

It costs the same however many rows there are: everything is found by an index, and counted up to
a bound.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet, Sum

from ..choices import Outcome, Priority, Status
from ..conf import conf
from ..limits import loud_since, pace, quiet_until
from ..models import GatewayState, MessageQuerySet, SmsBatch, SmsMessage, db_now
from ..worker import senders

#: Up to so many rows a count is exact.
MOST = 100_000


#: What the rate is taken of: the requests of so long, and at most so many of them.
SPAN, REQUESTS = timedelta(minutes=10), 100


#: How many of the last requests are shown.
LAST = 5


class LastRequest(NamedTuple):
    """A line of the journal; an empty ``outcome`` is a request that may be under way."""

    created_at: datetime
    outcome: str
    error_code: str
    messages: int


class Queue(NamedTuple):
    """What is due and waits. A count of ``MOST + 1`` means more."""

    waiting: int
    oldest_waiting: timedelta | None  # how long the first of them could have gone out
    rate: float  # messages a minute
    time_to_empty: timedelta | None  # ``None`` where nobody can tell


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The outbox at one moment of the database's clock. A count of ``MOST + 1`` means more."""

    now: datetime
    gateway: str  # ready, quiet, probing, blocked, paused or disabled
    blocked_until: datetime | None
    quiet_until: datetime | None  # until then only urgent messages go out
    failures: int
    waiting: int
    oldest_waiting: timedelta | None
    scheduled: int  # pending, and not due yet
    sending: int
    asked_for: int  # accepted, and their status still asked for
    unknown: int  # without a decision
    rate: float
    time_to_empty: timedelta | None
    last_requests: Sequence[LastRequest]


def observe() -> Snapshot:
    """Look at the outbox; writes nothing."""
    state = GatewayState.objects.seen() or unwritten()
    messages = SmsMessage.objects.for_write()
    later = [rows.filter(due_at__gt=db_now()) for rows in _pending()]
    return Snapshot(
        now=state.now,
        gateway=condition(state),
        blocked_until=state.blocked_until,
        quiet_until=quiet_until(state.now),
        failures=state.failures,
        scheduled=_count(*later),
        sending=_count(messages.filter(status=Status.SENDING)),
        asked_for=_count(messages.filter(next_check_at__isnull=False)),
        unknown=_count(messages.filter(status=Status.UNKNOWN, resolution="")),
        last_requests=_last_requests(),
        **queue(state.now)._asdict(),
    )


def queue(now: datetime) -> Queue:
    """What waits at this time, the database's, since when, and for how long."""
    due = [rows.filter(due_at__lte=db_now()).order_by("due_at") for rows in _pending()]
    ages = [_age(rows, priority, now) for priority, rows in zip(Priority, due)]
    oldest = max((age for age in ages if age is not None), default=None)
    waiting, rate = _count(*due), _rate(now)
    return Queue(waiting, oldest, rate, _time_to_empty(waiting, rate, now))


def condition(state: GatewayState) -> str:
    """Whether messages go out now, in a word."""
    if not conf.ENABLED:
        return "disabled"
    if state.paused_at:
        return "paused"
    if state.blocked_until is None:
        return "quiet" if quiet_until(state.now) else "ready"
    return "blocked" if state.blocked_until > state.now else "probing"


def unwritten() -> GatewayState:
    """The state before the first run, whose row a monitor does not write."""
    state = GatewayState()
    state.now = datetime.now().astimezone()
    return state


def _pending() -> list[MessageQuerySet]:
    """What is pending, by priority: as the index has it, which then reads none of the future."""
    pending = SmsMessage.objects.for_write().filter(status=Status.PENDING)
    return [pending.filter(priority=priority) for priority in Priority]


def _age(rows: QuerySet[SmsMessage], priority: Priority, now: datetime) -> timedelta | None:
    """How long the first of these could have gone out; quiet hours do not count."""
    due: datetime | None = rows.values_list("due_at", flat=True).first()
    if due is None or (quiet_until(now) and priority != Priority.HIGH):
        return None
    if priority != Priority.HIGH:
        due = max(due, loud_since(now) or due)
    return max(now - due, timedelta())


def _time_to_empty(waiting: int, rate: float, now: datetime) -> timedelta | None:
    """What the pace says, where there is one; else as fast as it went lately."""
    if not waiting:
        return timedelta()
    if not pace.is_set():
        return timedelta(minutes=waiting / rate) if rate else None
    quiet = quiet_until(now)
    parts = {source: _parts(source) for source in senders()}
    return max(pace.waits(parts, now).values()) + (quiet - now if quiet else timedelta())


def _parts(source: str) -> int:
    """The parts of what waits of a sender, at most ``MOST`` messages of each priority."""
    due = SmsMessage.objects.for_write().filter(
        status=Status.PENDING, source=source, due_at__lte=db_now()
    )
    each = (due.filter(priority=priority)[:MOST] for priority in Priority)
    return sum(rows.aggregate(parts=Sum("segments"))["parts"] or 0 for rows in each)


def _count(*parts: QuerySet[SmsMessage]) -> int:
    return min(sum(rows.order_by().values("pk")[: MOST + 1].count() for rows in parts), MOST + 1)


def _rate(now: datetime) -> float:
    """Messages a minute that the gateway answered to."""
    answered = SmsBatch.objects.for_write().filter(
        outcome=Outcome.ANSWERED, created_at__gt=db_now() - SPAN
    )
    found = list(answered.order_by("-created_at").values_list("created_at", "guids")[:REQUESTS])
    if not found:
        return 0.0
    span = SPAN if len(found) < REQUESTS else now - found[-1][0]
    return sum(len(guids) for _, guids in found) / max(span.total_seconds(), 1.0) * 60


def _last_requests() -> list[LastRequest]:
    last = SmsBatch.objects.for_write().order_by("-created_at")
    rows = last.values_list("created_at", "outcome", "error_code", "guids")[:LAST]
    return [LastRequest(at, outcome, code, len(guids)) for at, outcome, code, guids in rows]
