"""Several processes on one database, and what becomes of the work of one that is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from statistics import median

from django.db.models import QuerySet

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import SmsBatch, SmsMessage

from . import rows
from .measure import Bench, Figure, ratio, together
from .services import LOOP, heard, service, until

#: Settings of the workers that are killed, in seconds, so that a lease is not waited for so long.
LEASE = 15
SHORT = {"MOBILON_SMS_TIMEOUT": str(LEASE // 3), "MOBILON_SMS_LEASE": str(LEASE)}
#: The interval of ``send_sms --loop``, in seconds: how often it looks for lost batches.
INTERVAL = 5
#: The gateway's latency, in milliseconds, so that requests are under way at any time.
LATENCY = 500


def processes(bench: Bench, count: int = 50_000) -> Iterator[Figure]:
    """One, two and four of concurrency 1 at 100 ms; two with nothing to wait for."""
    numbers = (1, 2, 4)
    slow = {"latency": 100, "concurrency": 1}
    found = bench.in_turn(*(partial(_rate, bench, number, 4000, **slow) for number in numbers))
    bench.series["processes"] = [(number, median(rates)) for number, rates in zip(numbers, found)]
    for number, rates, target in ((2, found[1], 1.9), (4, found[2], 3.6)):
        note = f"{median(rates):,.0f}/s against {median(found[0]):,.0f}/s"
        yield Figure(f"{number} processes against one", ratio(rates, found[0]), target, note=note)

    bare = partial(bench.rate, "bare", count, path="send/")
    ours, loop = bench.in_turn(partial(_rate, bench, 2, count // 2), bare)
    note = f"{median(ours):,.0f}/s of {median(loop):,.0f}/s"
    yield Figure("2 processes: share of the bare loop", ratio(ours, loop), 0.22, note=note)


def _rate(bench: Bench, number: int, each: int, **options: int) -> float:
    """Messages a second of so many processes, each of which sends its share."""
    count = number * each
    rows.clear()
    rows.due(count)
    ready = [bench.start("drain", limit=each, **options) for _ in range(number)]
    results = together(ready)
    if sum(result["count"] for result in results) != count:
        raise RuntimeError("Some were not sent.")
    return count / max(float(result["seconds"]) for result in results)


def killed(bench: Bench, count: int = 100_000) -> Iterator[Figure]:
    """SIGKILL of a worker with requests under way: when sending goes on, and when they end."""
    beside, settled, later = [], [], []
    for _ in range(bench.rounds):
        goes_on, ended = _killed_beside_another(bench, count)
        beside.append(goes_on)
        settled.append(ended)
        later.append(_killed_alone(bench, count))
    note = f"latency {LATENCY} ms"
    work = "killed: another worker's next request"
    yield Figure(work, median(beside), 1.5 * LATENCY, at_most=True, unit="ms", note=note)
    work = "killed: the first request of a worker that starts then"
    yield Figure(work, median(later), 5, at_most=True, unit="s", note="with the start of Python")
    note = f"lease {LEASE} s, interval {INTERVAL} s"
    work = "killed: its messages are settled"
    yield Figure(work, median(settled), LEASE + INTERVAL, at_most=True, unit="s", note=note)


def _killed_beside_another(bench: Bench, count: int) -> tuple[float, float]:
    """Milliseconds to the next request of another worker, seconds until all are settled."""
    rows.clear()
    rows.due(count)
    with (
        service(bench, LOOP, latency=LATENCY, **SHORT) as victim,
        service(bench, LOOP, latency=LATENCY, **SHORT) as other,
    ):
        until(lambda: _under_way(victim.pid).exists() and _under_way(other.pid).exists())
        at = _kill(bench, victim.pid)
        lost = list(_under_way(victim.pid).values_list("pk", flat=True))
        goes_on = _next_request(bench, at)
        rest = SmsMessage.objects.filter(batch__in=lost, status=Status.SENDING)
        until(lambda: not rest.exists())
        return goes_on * 1000, time.monotonic() - at


def _killed_alone(bench: Bench, count: int) -> float:
    """Seconds to the first request of a worker that is started when the only one is killed."""
    rows.clear()
    rows.due(count)
    with service(bench, LOOP, latency=LATENCY, **SHORT) as victim:
        until(lambda: _under_way(victim.pid).exists())
        at = _kill(bench, victim.pid)
        victim.wait()
        with service(bench, LOOP, latency=LATENCY, **SHORT):
            return _next_request(bench, at)


def _under_way(pid: int) -> QuerySet[SmsBatch]:
    """The batches of the worker with this process id that have no outcome."""
    return SmsBatch.objects.filter(worker__endswith=f":{pid}", closed_at=None)


def _kill(bench: Bench, pid: int) -> float:
    heard(bench)
    os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def _next_request(bench: Bench, at: float) -> float:
    """Seconds from a moment to the next request that the gateway heard."""

    def after() -> list[float]:
        return [arrived for arrived in heard(bench)["requests"] if arrived > at]

    return float(min(until(after))) - at
