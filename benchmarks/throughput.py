"""Messages a second beside two more libraries that send one request for each message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

from . import rows
from .measure import Bench, Figure, ratio
from .rivals import fill_mailer, fill_procrastinate

#: What fills the queue of each, by what drains it in a process of its own.
FILLS: dict[str, Callable[[int], None]] = {
    "mailer": fill_mailer,
    "procrastinate": fill_procrastinate,
}


def rivals(bench: Bench, count: int = 20_000) -> Iterator[Figure]:
    """The app, django-mailer and Procrastinate, without latency and with 100 ms.

    The libraries send a tenth as many, and with latency a hundredth: they take longer.
    """
    for wait, few, target in ((0, count // 10, 10), (100, count // 100, 70)):

        def app(wait: int = wait) -> float:
            rows.clear()
            rows.due(count)
            rows.analyze()
            return bench.rate("drain", count, latency=wait)

        def rival(name: str, wait: int = wait, few: int = few) -> float:
            FILLS[name](few)
            return bench.rate(name, few, latency=wait)

        ours, *theirs = bench.in_turn(app, *(partial(rival, name) for name in FILLS))
        for name, rates in zip(FILLS, theirs):
            note = f"{median(ours):,.0f}/s against {median(rates):,.0f}/s"
            yield Figure(f"{wait} ms: against {name}", ratio(ours, rates), target, note=note)
