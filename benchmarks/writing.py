"""What writing costs: many rows at once, and one row with its checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

from . import rows
from .measure import Bench, Figure, ratio


def writing(bench: Bench, count: int = 100_000) -> Iterator[Figure]:
    """``send_many()`` against Django's ``bulk_create()`` and PostgreSQL's COPY of the same rows."""
    yield from _against(bench, "send_many", {"bulk_create": 2, "copy": 0.15}, count)


def single(bench: Bench, count: int = 2_000) -> Iterator[Figure]:
    """``send_sms()`` against Django's INSERT of the same row, each in its own transaction."""
    yield from _against(bench, "send_sms", {"save_base": 1 / 1.4}, count)


def _against(bench: Bench, ours: str, others: dict[str, float], count: int) -> Iterator[Figure]:
    if bench.vendor != "postgresql":
        others = {name: target for name, target in others.items() if name != "copy"}

    def of(name: str) -> Callable[[], float]:
        def measure() -> float:
            rows.clear()
            return bench.rate(name, count)

        return measure

    rates, *theirs = bench.in_turn(*map(of, (ours, *others)))
    for (name, target), their in zip(others.items(), theirs):
        note = f"{median(rates):,.0f}/s of {median(their):,.0f}/s"
        yield Figure(f"{ours}: share of {name}", ratio(rates, their), target, note=note)
