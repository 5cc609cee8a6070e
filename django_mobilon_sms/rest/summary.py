"""How many messages and parts there are in each status, counted at a bounded cost."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from ..choices import Status
from .pagination import NEWEST

#: How many messages are counted, the newest first.
MOST = 100_000


def count(rows: QuerySet[Any, Any], parameters: Collection[str]) -> dict[str, Any]:
    """The counts of these rows, found by these parameters, and whether they are of all.

    ``complete`` is false if there are more than ``MOST``; then the newest are counted.
    """
    newest = rows.order_by(_order(parameters))
    asked: dict[str, Any] = {}
    for status in Status.values:
        here = Q(status=status)
        asked[f"{status}_messages"] = Count("pk", filter=here)
        asked[f"{status}_parts"] = Sum("segments", filter=here, default=0)
    counts = newest[:MOST].aggregate(**asked)
    found = [
        {"status": each, "messages": messages, "parts": counts[f"{each}_parts"]}
        for each in sorted(Status.values)
        if (messages := counts[f"{each}_messages"])
    ]
    total = sum(each["messages"] for each in found)
    # Not by exists(), which forgets the order and with it the index.
    more = total == MOST and len(newest.values_list("pk")[MOST : MOST + 1])
    return {"statuses": found, "complete": not more}


def _order(parameters: Collection[str]) -> str:
    """An order that ends the reading early: that of the time that is asked for."""
    for field in ("created", "sent"):
        if {f"{field}_after", f"{field}_before"} & set(parameters):
            return f"-{field}_at"
    return NEWEST
