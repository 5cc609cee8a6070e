"""Counts of messages and segments by status, at a bounded cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from rest_framework import serializers

from ...choices import Status
from ...conf import conf
from ...models import NONE, SOURCE, STATUS, CountedDay, DailyTotal, GatewayState, Tally, day_of
from ...operations import as_of, consistently, day_bounds, sums
from ..pagination import NEWEST
from ..serializers import EnumField, ExactSerializer

#: How many messages are counted at most, the newest first.
MAX_COUNTED = 100_000

DAY = timedelta(days=1)

#: The filters that the daily totals know.
IN_TOTALS = {"status", "source", "created_after", "created_before"}

Counts = Mapping[str, Tally]


class StatusCountSerializer(ExactSerializer):
    """The counts of one status."""

    status = EnumField("Status", Status.choices)
    messages = serializers.IntegerField()
    segments = serializers.IntegerField()


class SummarySerializer(ExactSerializer):
    """The counts by status."""

    statuses = StatusCountSerializer(many=True)
    complete = serializers.BooleanField(help_text="False: only the newest are counted.")
    as_of = serializers.DateTimeField(
        allow_null=True,
        help_text="When the totals of past days were right. Null: all messages are counted now.",
    )


def count(rows: QuerySet[Any, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts of these rows, which the given filters found.

    ``complete`` is false if there are more rows than ``MAX_COUNTED``: the newest are counted then.
    The whole days of a period come from the daily totals and count as no rows.
    """
    if "created_after" in given and set(given) <= IN_TOTALS and not conf.REST_OWN_MESSAGES_ONLY:
        return _of_period(rows, given)
    counts, complete = _count([rows.order_by(_order(given))])
    return _summary(counts, complete=complete)


def _of_period(rows: QuerySet[Any, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    start: datetime = given["created_after"]
    end: datetime = given.get("created_before") or GatewayState.objects.peek().now
    first, last = day_of(start), day_of(end) - DAY
    if day_bounds(first)[0] < start:
        first += DAY

    def read(counted: Mapping[date, CountedDay]) -> dict[str, Any]:
        counts, complete = _count(_uncounted(rows, start, end, counted))
        for status, *both in _totals(first, last, given):
            counts[status] += Tally(*both)
        return _summary(counts, complete=complete, as_of=as_of(counted) if counted else None)

    return consistently(first, last, read)


def _totals(first: date, last: date, given: Mapping[str, Any]) -> Iterable[tuple[Any, ...]]:
    """Return the totals of these days by status."""
    totals = DailyTotal.objects.valid(first, last)
    if source := given.get("source"):
        totals = totals.filter(kind=SOURCE, name=source)
    else:
        totals = totals.filter(kind=STATUS)
    if statuses := given.get("status"):
        totals = totals.filter(status__in=statuses)
    return sums(totals, "status")


def _uncounted(
    rows: QuerySet[Any, Any], start: datetime, end: datetime, counted: Iterable[date]
) -> list[QuerySet[Any, Any]]:
    """Return the messages that are on no counted day: a queryset for each gap, the newest first."""
    gaps = []
    for day in sorted(counted):
        begin, stop = day_bounds(day)
        gaps.append((start, begin))
        start = stop
    return [
        rows.filter(created_at__gte=begin, created_at__lt=stop).order_by("-created_at")
        for begin, stop in reversed([*gaps, (start, end)])
        if begin < stop
    ]


def _count(pieces: Iterable[QuerySet[Any, Any]]) -> tuple[dict[str, Tally], bool]:
    """Count the rows of these in turn, up to ``MAX_COUNTED``; return whether these are all."""
    counts: dict[str, Tally] = defaultdict(lambda: NONE)
    left = MAX_COUNTED
    for rows in pieces:
        found = rows[:left].aggregate(**_by_status()) if left else {}
        for status in Status.values if found else ():
            counts[status] += Tally(found[f"{status}_messages"], found[f"{status}_segments"])
        taken = sum(found[f"{status}_messages"] for status in Status.values) if found else 0
        left -= taken
        # Not by exists(), which forgets the order and with it the index.
        if not left and len(rows.values_list("pk")[taken : taken + 1]):
            return counts, False
    return counts, True


def _summary(counts: Counts, *, complete: bool, as_of: datetime | None = None) -> dict[str, Any]:
    statuses = [
        {"status": status, **tally._asdict()}
        for status, tally in sorted(counts.items())
        if tally.messages
    ]
    return {"statuses": statuses, "complete": complete, "as_of": as_of}


def _by_status() -> dict[str, Any]:
    asked: dict[str, Any] = {}
    for status in Status.values:
        of_status = Q(status=status)
        asked[f"{status}_messages"] = Count("pk", filter=of_status)
        asked[f"{status}_segments"] = Sum("segments", filter=of_status, default=0)
    return asked


def _order(parameters: Collection[str]) -> str:
    """Return an order that ends the reading early: by the time that is filtered."""
    for field in ("created", "sent"):
        if {f"{field}_after", f"{field}_before"} & set(parameters):
            return f"-{field}_at"
    return NEWEST
