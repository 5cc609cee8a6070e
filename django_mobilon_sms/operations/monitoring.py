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
from ..models import (
    EventFeed,
    GatewayState,
    Heartbeat,
    MessageQuerySet,
    SmsBatch,
    SmsMessage,
    db_now,
)
from ..worker import senders
from .recent_requests import PERIOD, AcceptedAfter, RequestCount, recent_requests
from .sending_state import COUNT_LIMIT, count, gateway_condition, observe_sending, pending

#: The rate is that of the requests of ``PERIOD``, or of the last ones if there are more.
RATE_REQUESTS = 100

#: The number of last requests in a snapshot, and the most heartbeats.
LAST_REQUESTS, MOST_HEARTBEATS = 5, 100


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


class Beat(NamedTuple):
    """The last sign of life of the workers of a kind on a host."""

    host: str
    kind: str  # a ``WorkerKind``
    at: datetime


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The outbox at one moment of the database's clock.

    :doc:`/reference/commands` explains each figure: ``sms_status --json`` prints them.
    """

    now: datetime
    state: str  # the word of ``SendingState``
    error_code: str  # the cause of the trouble with the gateway, while it lasts
    http_code: int | None
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
    recent_requests: Sequence[RequestCount]  # of the last minutes, by result
    accepted_after: AcceptedAfter  # the times of their messages
    heartbeats: Sequence[Beat]  # the newest first, at most ``MOST_HEARTBEATS``
    sentence: str  # the state for a person
    events_held_back: timedelta | None = None  # by an open transaction, for so long
    events_dropped: int = 0  # deleted before a consumer had them

    def lacks_worker_for(self, length: timedelta) -> bool:
        """Return whether messages wait, and no worker has been seen for longer than this."""
        if self.oldest_waiting is None or self.state in ("paused", "disabled"):
            return False
        return not self.heartbeats or self.now - self.heartbeats[0].at > length


def observe() -> Snapshot:
    """Return the figures of the outbox as a ``Snapshot``; write nothing.

    The number of statements does not depend on the number of messages. Raises Django's database
    errors.
    """
    state = GatewayState.objects.peek()
    messages = SmsMessage.objects.for_write()
    later = [rows.filter(due_at__gt=db_now()) for rows in _all_pending()]
    figures, (requests, times) = queue(state.now), recent_requests()
    sending = observe_sending(state)
    return Snapshot(
        now=state.now,
        state=sending.word,
        sentence=str(sending),
        error_code=sending.error_code,
        http_code=sending.http_code,
        gateway=gateway_condition(state),
        blocked_until=state.blocked_until,
        quiet_until=quiet_until(state.now),
        failures=state.failures,
        idle=_idle(figures.oldest_waiting, state.now),
        scheduled=count(*later),
        sending=count(messages.filter(status=Status.SENDING)),
        asked_for=count(messages.asked_for()),
        unknown=count(messages.filter(status=Status.UNKNOWN, resolution="")),
        last_requests=_last_requests(),
        recent_requests=requests,
        accepted_after=times,
        heartbeats=_heartbeats(),
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
    due = [rows.filter(due_at__lte=db_now()).order_by("due_at") for rows in _all_pending()]
    ages = [_age(rows, priority, now) for priority, rows in zip(Priority, due)]
    oldest = max((age for age in ages if age is not None), default=None)
    waiting, rate = count(*due), _rate(now)
    return Queue(waiting, oldest, rate, _time_to_empty(waiting, rate, now))


def _all_pending() -> list[MessageQuerySet]:
    return [pending(priority) for priority in Priority]


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
    # A worker may have claimed the last of them meanwhile.
    paced = max(pace.waits(segments, now).values(), default=timedelta())
    return paced + (quiet - now if quiet else timedelta())


def _segments(source: str) -> int:
    """Count the segments of at most ``COUNT_LIMIT`` due messages of a sender and each priority."""
    due = [
        rows.filter(source=source, due_at__lte=db_now())[:COUNT_LIMIT] for rows in _all_pending()
    ]
    return sum(rows.aggregate(sum=Sum("segments"))["sum"] or 0 for rows in due)


def _rate(now: datetime) -> float:
    """Return the messages a minute that the gateway has answered."""
    newest = SmsBatch.objects.for_write().filter(outcome=Outcome.ANSWERED).order_by("-created_at")
    recent = newest.filter(created_at__gt=db_now() - PERIOD)
    found = list(recent.values_list("created_at", "message_count")[:RATE_REQUESTS])
    if not found:
        return 0.0
    period = PERIOD if len(found) < RATE_REQUESTS else now - found[-1][0]
    answered: int = sum(count for _, count in found)
    return answered / max(period.total_seconds(), 1.0) * 60


def _last_requests() -> list[LastRequest]:
    last = SmsBatch.objects.for_write().order_by("-created_at")
    rows = last.values_list("created_at", "outcome", "error_code", "message_count")[:LAST_REQUESTS]
    return [LastRequest(*row) for row in rows]


def _heartbeats() -> list[Beat]:
    rows = Heartbeat.objects.past().values_list("host", "kind", "beat_at")
    return [Beat(*row) for row in rows[:MOST_HEARTBEATS]]
