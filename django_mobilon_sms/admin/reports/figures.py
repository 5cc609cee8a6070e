"""The figures of a report, from the daily totals or, by the hour, from the messages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime, time, timezone
from typing import Any, NamedTuple

from django.db.models import Count, Sum

from ...choices import Status
from ...models import (
    NONE,
    REASON,
    SECONDS,
    SENT,
    SmsMessage,
    Tallies,
    Tally,
    UnixTime,
    tally,
)
from ...operations import read_totals
from .periods import HOUR, Period

#: Statuses of messages that had no chance to be sent.
NOT_TRIED = (Status.PENDING, Status.SENDING, Status.CANCELLED)

#: Senders or tags that a report lists, those with the most messages.
MAX_NAMES = 20

#: Seconds by which the database counts. Every offset of a time zone since 2000 is a multiple.
QUARTER = 900


class Figures(NamedTuple):
    """The tallies by step and status, and those of the whole period."""

    by_step: dict[tuple[datetime, str], Tally]
    whole: Tallies
    as_of: datetime | None = None  # the oldest of the totals; ``None``: all is counted now


def of(period: Period) -> Figures:
    """Return the figures of a period."""
    if period.step == HOUR:
        return Figures(_by_hour(period), tally(_messages(period)))
    totals = read_totals(*period.days())
    days = {(datetime.combine(day, time()), its): n for (day, its), n in totals.by_day.items()}
    return Figures(days, totals.whole, totals.as_of)


def seconds_to_sent(whole: Tallies) -> Counter[int]:
    """Return the sent messages by the seconds between their send time and "sent"."""
    counts: Counter[int] = Counter()
    for key, counted in whole.items():
        if key.kind == SECONDS:
            counts[int(key.name)] += counted.messages
    return counts


def percentile(counts: Counter[int], share: float) -> int | None:
    """Return the seconds within which this share of the messages was sent, if any was."""
    left = counts.total() * share
    for seconds in sorted(counts):
        left -= counts[seconds]
        if left <= 0:
            return seconds
    return None


def by_reason(whole: Tallies) -> list[dict[str, Any]]:
    """Return the failed and unknown messages by error code, the most frequent first."""
    return [
        {
            "error_code": code,
            "failed": by_status.get(Status.FAILED, NONE).messages,
            "unknown": by_status.get(Status.UNKNOWN, NONE).messages,
        }
        for code, by_status in _ranked(whole, REASON)
    ]


def by_name(whole: Tallies, kind: str) -> list[dict[str, Any]]:
    """Return the messages by sender or tag: those with the most messages, then all others."""
    ranked = _ranked(whole, kind)
    listed = [(name, counts) for name, counts in ranked if name][:MAX_NAMES]
    names = {name for name, _ in listed}
    others: dict[str, Tally] = defaultdict(lambda: NONE)
    for name, of_name in ranked:
        for status, counted in of_name.items() if name not in names else ():
            others[status] += counted
    return [{"name": name} | _row(counts) for name, counts in [*listed, ("", others)] if counts]


def _ranked(whole: Tallies, kind: str) -> list[tuple[str, dict[str, Tally]]]:
    """Return the tallies of each name by status, the name with the most messages first."""
    names: dict[str, dict[str, Tally]] = defaultdict(dict)
    for key, counted in whole.items():
        if key.kind == kind:
            names[key.name][key.status] = counted
    return sorted(names.items(), key=lambda item: (-_sum(item[1]).messages, item[0]))


def _row(by_status: dict[str, Tally]) -> dict[str, Any]:
    total = _sum(by_status)
    tried = set(by_status) - set(NOT_TRIED)
    return {
        "messages": total.messages,
        "total_segments": total.segments,
        "failed": _sum(by_status, {Status.FAILED}).messages,
        "unknown": _sum(by_status, {Status.UNKNOWN}).messages,
        "tried": _sum(by_status, tried).messages,
        "sent": _sum(by_status, SENT).messages,
    }


def _sum(by_status: dict[str, Tally], statuses: Collection[str] | None = None) -> Tally:
    chosen: Iterator[Tally] = (
        counted for status, counted in by_status.items() if statuses is None or status in statuses
    )
    return sum(chosen, NONE)


def _by_hour(period: Period) -> dict[tuple[datetime, str], Tally]:
    quarter = UnixTime("created_at") - UnixTime("created_at") % QUARTER
    rows = _messages(period).annotate(quarter=quarter).values("quarter", "status")
    tallies: dict[tuple[datetime, str], Tally] = defaultdict(lambda: NONE)
    for row in rows.annotate(messages=Count("pk"), total_segments=Sum("segments")):
        step = period.step_of(datetime.fromtimestamp(row["quarter"], timezone.utc))
        tallies[step, row["status"]] += Tally(row["messages"], row["total_segments"])
    return tallies


def _messages(period: Period) -> Any:
    rows = SmsMessage.objects.filter(created_at__gte=period.start, created_at__lt=period.end)
    return rows.order_by()
