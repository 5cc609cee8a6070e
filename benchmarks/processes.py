"""Several processes on one database, and what becomes of the work of one that is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

from django.db.models import QuerySet

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import SmsBatch, SmsMessage
from django_mobilon_sms.worker.run import SWEEP_SECONDS

from . import rows
from .measure import Bench, Figure, load, ratio, together
from .started_workers import LOOP, heard, service, until

#: Settings of the workers that are killed, in seconds, so that a lease is not waited for so long.
LEASE = 15
SHORT = {"MOBILON_SMS_TIMEOUT": str(LEASE // 3), "MOBILON_SMS_LEASE": str(LEASE)}
#: The interval of ``send_sms --loop``, in seconds: how often it looks for lost batches.
INTERVAL = 5
#: The gateway's latency, in milliseconds, so that requests are under way at any time.
LATENCY = 500
#: The latency for a worker that is killed before its only request is answered.
SLOW = 4000


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


def killed(bench: Bench, count: int = 10_000) -> Iterator[Figure]:
    """SIGKILL of a worker with requests under way: when sending goes on, and when they end."""
    first, settled = partial(_first_request, bench, count), partial(_settled, bench)
    later, idle = bench.in_turn(first, settled)
    beside, busy = zip(*(_beside_another(bench, count) for _ in range(bench.rounds)))
    note = f"latency {LATENCY} ms, {load()}"
    work = "killed: another worker's next request"
    yield Figure(work, median(beside), 1.5 * LATENCY, at_most=True, unit="ms", note=note)
    work = "killed: the first request of a worker that starts then"
    yield Figure(work, median(later), 5, at_most=True, unit="s", note="with the start of Python")
    note = f"lease {LEASE} s, interval {INTERVAL} s"
    # A worker that sends sweeps once a minute.
    ends = (("idle", idle, INTERVAL), (f"sends {count:,}", busy, SWEEP_SECONDS))
    for others, seconds, wait in ends:
        work = f"killed: its messages are settled, another {others}"
        yield Figure(work, median(seconds), LEASE + wait, at_most=True, unit="s", note=note)


def _beside_another(bench: Bench, count: int) -> tuple[float, float]:
    """Milliseconds to the next request of another worker, seconds until all are settled."""
    rows.clear()
    rows.due(count)
    with (
        service(bench, LOOP, latency=LATENCY, **SHORT) as victim,
        service(bench, LOOP, latency=LATENCY, **SHORT) as other,
    ):
        until(lambda: _under_way(victim.pid).exists() and _under_way(other.pid).exists())
        at = _kill(bench, victim.pid)
        lost = _under_way(victim.pid)
        return _next_request(bench, at) * 1000, _end_of(lost, at)


def _first_request(bench: Bench, count: int) -> float:
    """Seconds to the first request of a worker that is started when the only one is killed."""
    rows.clear()
    rows.due(count)
    with _victim(bench, LATENCY) as at, service(bench, LOOP, latency=LATENCY, **SHORT):
        return _next_request(bench, at)


def _settled(bench: Bench) -> float:
    """Seconds until the messages of a killed worker are settled by one with nothing to send."""
    rows.clear()
    rows.due(100)
    with _victim(bench, SLOW) as at, service(bench, LOOP, **SHORT):
        return _end_of(SmsBatch.objects.all(), at)


@contextmanager
def _victim(bench: Bench, latency: int) -> Iterator[float]:
    """When the only worker was killed, with requests under way."""
    with service(bench, LOOP, latency=latency, **SHORT) as victim:
        until(lambda: _under_way(victim.pid).exists())
        yield _kill(bench, victim.pid)


def _end_of(lost: QuerySet[SmsBatch], at: float) -> float:
    """Seconds from a moment until no message of these batches is under way."""
    if not (pks := list(lost.values_list("pk", flat=True))):
        raise RuntimeError("No request was under way.")
    rest = SmsMessage.objects.filter(batch__in=pks, status=Status.SENDING)
    until(lambda: not rest.exists())
    return time.monotonic() - at


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
