"""Figures of the outbox: how much waits and for how long, the rate of sending, and troubles.

They cost the same however many rows there are, because every query uses an index and counts up to
``COUNT_LIMIT``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet, Sum

from .. import events
from ..choices import Outcome, Priority, Status
from ..conf import conf
from ..limits import loud_since, pace, quiet_until
from ..models import EventFeed, GatewayState, MessageQuerySet, SmsBatch, SmsMessage, db_now
from ..worker import senders

#: A count is exact up to this number of rows; ``COUNT_LIMIT + 1`` means more.
COUNT_LIMIT = 100_000

#: The rate is that of the requests of this period, or of the last ones if there are more.
RATE_PERIOD, RATE_REQUESTS = timedelta(minutes=10), 100

#: The number of last requests in a snapshot.
LAST_REQUESTS = 5


class LastRequest(NamedTuple):
    """A request of the journal; it may be under way if its ``outcome`` is empty."""

    created_at: datetime
    outcome: str
    error_code: str
    messages: int


class Queue(NamedTuple):
    """The messages that are due, and how long they have waited and will wait."""

    waiting: int
    oldest_waiting: timedelta | None  # since the first of them could be sent
    rate: float  # messages a minute
    time_to_empty: timedelta | None  # ``None`` if it cannot be estimated


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The outbox at one moment of the database's clock."""

    now: datetime
    gateway: str  # ready, quiet, probing, blocked, paused or disabled
    blocked_until: datetime | None
    quiet_until: datetime | None  # until then only urgent messages are sent
    failures: int
    waiting: int
    oldest_waiting: timedelta | None
    idle: timedelta | None  # since the last request, while messages that are due wait
    scheduled: int  # pending, but not due yet
    sending: int
    asked_for: int  # accepted, and their status is still queried
    unknown: int  # and undecided
    rate: float
    time_to_empty: timedelta | None
    last_requests: Sequence[LastRequest]
    events_held_back: timedelta | None = None  # by an open transaction, for so long
    events_dropped: int = 0  # deleted before a consumer had them


def observe() -> Snapshot:
    """Read all figures of the outbox; write nothing."""
    state = GatewayState.objects.peek()
    messages = SmsMessage.objects.for_write()
    later = [rows.filter(due_at__gt=db_now()) for rows in _pending()]
    figures = queue(state.now)
    return Snapshot(
        now=state.now,
        gateway=gateway_condition(state),
        blocked_until=state.blocked_until,
        quiet_until=quiet_until(state.now),
        failures=state.failures,
        idle=_idle(figures.oldest_waiting, state.now),
        scheduled=_count(*later),
        sending=_count(messages.filter(status=Status.SENDING)),
        asked_for=_count(messages.asked_for()),
        unknown=_count(messages.filter(status=Status.UNKNOWN, resolution="")),
        last_requests=_last_requests(),
        **_feed(),
        **figures._asdict(),
    )


def _feed() -> dict[str, Any]:
    if conf.EVENTS is None:
        return {}
    dropped = EventFeed.objects.current().dropped
    return {"events_held_back": events.held_back(), "events_dropped": dropped}


def queue(now: datetime) -> Queue:
    """Return the figures of the due messages; ``now`` is the time of the database."""
    due = [rows.filter(due_at__lte=db_now()).order_by("due_at") for rows in _pending()]
    ages = [_age(rows, priority, now) for priority, rows in zip(Priority, due)]
    oldest = max((age for age in ages if age is not None), default=None)
    waiting, rate = _count(*due), _rate(now)
    return Queue(waiting, oldest, rate, _time_to_empty(waiting, rate, now))


def gateway_condition(state: GatewayState) -> str:
    """Return a word for whether messages are sent now: see ``Snapshot.gateway``."""
    if not conf.ENABLED:
        return "disabled"
    if state.paused_at:
        return "paused"
    if state.blocked_until is None:
        return "quiet" if quiet_until(state.now) else "ready"
    return "blocked" if state.blocked_until > state.now else "probing"


def _pending() -> list[MessageQuerySet]:
    """Return the pending messages of each priority.

    The index has the priority before the time, so that a query for one priority reads no messages
    of the future.
    """
    pending = SmsMessage.objects.for_write().filter(status=Status.PENDING)
    return [pending.filter(priority=priority) for priority in Priority]


def _age(rows: QuerySet[SmsMessage], priority: Priority, now: datetime) -> timedelta | None:
    """Return the time since the first of these could be sent, without quiet hours."""
    due: datetime | None = rows.values_list("due_at", flat=True).first()
    if due is None or (quiet_until(now) and priority != Priority.HIGH):
        return None
    if priority != Priority.HIGH:
        due = max(due, loud_since(now) or due)
    return max(now - due, timedelta())


def _idle(waiting: timedelta | None, now: datetime) -> timedelta | None:
    """Return for how long messages have waited while no request began.

    A request that a clock dated ahead of ``now`` says nothing.
    """
    if waiting is None:
        return None
    begun = SmsBatch.objects.for_write().filter(created_at__lte=now).order_by("-created_at")
    last: datetime | None = begun.values_list("created_at", flat=True).first()
    return min(waiting, now - last) if last else waiting


def _time_to_empty(waiting: int, rate: float, now: datetime) -> timedelta | None:
    """Estimate by the pace if one is set, otherwise by the recent rate."""
    if not waiting:
        return timedelta()
    if not pace.is_set():
        return timedelta(minutes=waiting / rate) if rate else None
    quiet = quiet_until(now)
    segments = {source: _segments(source) for source in senders()}
    return max(pace.waits(segments, now).values()) + (quiet - now if quiet else timedelta())


def _segments(source: str) -> int:
    """Count the segments of at most ``COUNT_LIMIT`` due messages of a sender and each priority."""
    due = [rows.filter(source=source, due_at__lte=db_now())[:COUNT_LIMIT] for rows in _pending()]
    return sum(rows.aggregate(sum=Sum("segments"))["sum"] or 0 for rows in due)


def _count(*querysets: QuerySet[SmsMessage]) -> int:
    most = COUNT_LIMIT + 1
    return min(sum(rows.order_by().values("pk")[:most].count() for rows in querysets), most)


def _rate(now: datetime) -> float:
    """Return the messages a minute that the gateway has answered."""
    newest = SmsBatch.objects.for_write().filter(outcome=Outcome.ANSWERED).order_by("-created_at")
    recent = newest.filter(created_at__gt=db_now() - RATE_PERIOD)
    found = list(recent.values_list("created_at", "message_count")[:RATE_REQUESTS])
    if not found:
        return 0.0
    period = RATE_PERIOD if len(found) < RATE_REQUESTS else now - found[-1][0]
    answered: int = sum(count for _, count in found)
    return answered / max(period.total_seconds(), 1.0) * 60


def _last_requests() -> list[LastRequest]:
    last = SmsBatch.objects.for_write().order_by("-created_at")
    rows = last.values_list("created_at", "outcome", "error_code", "message_count")[:LAST_REQUESTS]
    return [LastRequest(*row) for row in rows]
