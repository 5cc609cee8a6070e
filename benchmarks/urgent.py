"""How soon an urgent message leaves: from its commit to the arrival of its request."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from statistics import median, quantiles
from typing import Any

from django.db import connection

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import SmsMessage

from . import rows
from .measure import Bench, Figure, load
from .started_workers import CELERY, DJANGO_TASKS, LOOP, heard, service, until

CONTRIB = "django_mobilon_sms.contrib"
#: The workers, each with its command and the settings that it needs.
WORKERS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "send_sms --loop": (LOOP, {}),
    "Celery": (CELERY, {"MOBILON_SMS_WAKE_UP": f"{CONTRIB}.celery.wake_up"}),
    "Django Tasks": (DJANGO_TASKS, {"MOBILON_SMS_WAKE_UP": f"{CONTRIB}.django_tasks.wake_up"}),
}
#: What sends beside a mailing, and the pace of the last one: less than a worker could send.
BUSY = (("send_sms --loop", None), ("Celery", None), ("send_sms --loop", "1000/s"))
#: Seconds between two urgent messages. A wake-up of a task queue waits if there was one in the
#: last second, so idle ones are further apart.
IDLE_GAP, BUSY_GAP = (1.1, 1.6), (0.2, 0.5)
#: The gateway's latency beside a mailing, in milliseconds.
LATENCY = 100
#: Messages of the mailing for each second of it: more than a worker sends at that latency.
PER_SECOND = 5_000


def urgent(bench: Bench, count: int = 100) -> Iterator[Figure]:
    """So many urgent messages for each kind of worker, idle and beside a mailing."""
    trips = [_round_trip() for _ in range(200)]
    yield Figure("urgent: a bare NOTIFY, then a SELECT", median(trips), unit="ms", note=load())
    with _queue(bench) as settings:
        for name in WORKERS:
            times = _idle(bench, name, count, settings)
            work = f"urgent, idle, {name}"
            # No target for Django Tasks, because its polling interval sets the delay.
            p50, p95 = (None, None) if name == "Django Tasks" else (50, 150)
            yield Figure(f"{work}: p50", median(times), p50, at_most=True, unit="ms")
            yield _tail(work, times, p95)
        for name, rate in BUSY:
            pace = {"MOBILON_SMS_RATE": rate} if rate else {}
            times = _beside_a_mailing(bench, name, count, settings | pace)
            work = f"urgent, during a mailing, {name}{f', {rate}' if rate else ''}"
            yield _tail(work, times, 1.5 * LATENCY)


def _tail(work: str, times: Sequence[float], target: float | None) -> Figure:
    _p50, p95, p99 = percentiles(times)
    note = f"p50 {median(times):.0f} ms, p99 {p99:.0f} ms, of {len(times)}"
    return Figure(f"{work}: p95", p95, target, at_most=True, unit="ms", note=note)


def percentiles(times: Sequence[float]) -> tuple[float, float, float]:
    """The median, and what 95 and 99 of 100 times do not exceed."""
    cuts = quantiles(times, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]


def _idle(bench: Bench, name: str, count: int, settings: dict[str, str]) -> list[float]:
    command, own = WORKERS[name]
    rows.clear()
    with service(bench, command, **settings, **own):
        _written(bench, 1, IDLE_GAP, settings | own)  # arrives once the worker is ready
        return _written(bench, count, IDLE_GAP, settings | own)


def _beside_a_mailing(bench: Bench, name: str, count: int, settings: dict[str, str]) -> list[float]:
    command, own = WORKERS[name]
    rows.clear()
    rows.due(round(PER_SECOND * (count * sum(BUSY_GAP) / 2 + 15)))
    rows.analyze()
    with service(bench, command, latency=LATENCY, **settings, **own):
        _written(bench, 1, BUSY_GAP, settings | own)
        times = _written(bench, count, BUSY_GAP, settings | own)
        if not SmsMessage.objects.filter(status=Status.PENDING).exists():
            raise RuntimeError("The mailing ended before the last urgent message.")
        return times


def _written(
    bench: Bench, count: int, gap: tuple[float, float], settings: dict[str, str]
) -> list[float]:
    """Write so many urgent messages; milliseconds from the commit of each to its request."""
    heard(bench)
    committed = bench.run("urgent", settings=settings, count=count, gap=gap)["committed"]
    arrived: dict[str, float] = {}

    def all_arrived() -> bool:
        arrived.update(heard(bench)["urgent"])
        return committed.keys() <= arrived.keys()

    until(all_arrived)
    return [(arrived[guid] - at) * 1000 for guid, at in committed.items()]


def _round_trip() -> float:
    """Milliseconds of a NOTIFY, its arrival in another session, and a SELECT there."""
    with closing(connection.copy()) as other:
        other.ensure_connection()
        other.connection.execute("LISTEN bench")
        notes: Any = other.connection.notifies(timeout=10, stop_after=1)
        with connection.cursor() as cursor:
            began = time.perf_counter()
            cursor.execute("NOTIFY bench")
        list(notes)
        other.connection.execute("SELECT 1")
        return (time.perf_counter() - began) * 1000


@contextmanager
def _queue(bench: Bench) -> Iterator[dict[str, str]]:
    """The name of a queue of Celery's own in Redis, which is empty afterwards."""
    import redis
    from django.conf import settings

    name = f"bench_{os.getpid()}"
    try:
        yield {"BENCH_QUEUE": name}
    finally:
        with suppress(redis.RedisError), redis.from_url(settings.CELERY_BROKER_URL) as client:
            client.delete(name, *client.scan_iter(f"{name}*"))
