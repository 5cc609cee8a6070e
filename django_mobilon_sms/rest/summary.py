"""Counts of messages and segments by status, at a bounded cost."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from rest_framework import serializers

from ..choices import Status
from .pagination import NEWEST
from .serializers import ExactSerializer

#: How many messages are counted at most, the newest first.
MAX_COUNTED = 100_000


class StatusCountSerializer(ExactSerializer):
    """The counts of one status."""

    status = serializers.CharField()
    messages = serializers.IntegerField()
    segments = serializers.IntegerField()


class SummarySerializer(ExactSerializer):
    """The counts by status."""

    statuses = StatusCountSerializer(many=True)
    complete = serializers.BooleanField(help_text="False: only the newest are counted.")


def count(rows: QuerySet[Any, Any], parameters: Collection[str]) -> dict[str, Any]:
    """Return the counts of these rows, which these parameters found.

    ``complete`` is false if there are more rows than ``MAX_COUNTED``: the newest are counted then.
    """
    newest = rows.order_by(_order(parameters))
    asked: dict[str, Any] = {}
    for status in Status.values:
        of_status = Q(status=status)
        asked[f"{status}_messages"] = Count("pk", filter=of_status)
        asked[f"{status}_segments"] = Sum("segments", filter=of_status, default=0)
    counts = newest[:MAX_COUNTED].aggregate(**asked)
    statuses = [
        {"status": status, "messages": messages, "segments": counts[f"{status}_segments"]}
        for status in sorted(Status.values)
        if (messages := counts[f"{status}_messages"])
    ]
    total = sum(status["messages"] for status in statuses)
    # Not by exists(), which forgets the order and with it the index.
    more = total == MAX_COUNTED and len(newest.values_list("pk")[MAX_COUNTED : MAX_COUNTED + 1])
    return {"statuses": statuses, "complete": not more}


def _order(parameters: Collection[str]) -> str:
    """Return an order that ends the reading early: by the time that is filtered."""
    for field in ("created", "sent"):
        if {f"{field}_after", f"{field}_before"} & set(parameters):
            return f"-{field}_at"
    return NEWEST
