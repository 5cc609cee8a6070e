"""The parts of ``make bench``: each works on the database that it is given, and gives figures."""

from __future__ import annotations

import json
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from inspect import signature
from statistics import median
from typing import Any
from uuid import uuid4

from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.worker import deliver
from django_mobilon_sms.worker import refresh as ask

from . import rows
from .doors import doors, importing, mailing
from .events import events
from .measure import MARKS, Bench, Figure, database_name, ratio
from .processes import killed, processes
from .reports import reports
from .rivals import fill_post_office
from .throughput import rivals
from .urgent import urgent
from .writing import single, writing

#: The share of the bare loop to reach, by database.
DRAIN = {"sqlite": 0.18, "wal": 0.2, "postgresql": 0.15, "mysql": 0.11}
#: Milliseconds, how many messages each of both sends, and the ratio to reach.
LATENCIES = ((20, 20_000, 1000, None), (100, 12_000, 200, 72), (200, 8_000, 100, None))


def bare(bench: Bench, count: int, path: str) -> Callable[[], float]:
    """What measures the loop without a database."""
    return partial(bench.rate, "bare", count, path=path)


def gateway(bench: Bench) -> Iterator[Figure]:
    """Whether the gateway could serve more than the fastest client here asks of it."""
    bodies = [
        json.dumps([{"guid": str(uuid4()), "text": rows.TEXT} for _ in range(100)]).encode()
        for _ in range(200)
    ]
    host, _, port = bench.gateway.removeprefix("http://").partition(":")

    def pumped() -> float:
        """Requests written to sockets, eight under way, replies only read."""
        began = time.perf_counter()
        for start in range(0, len(bodies), 8):
            sockets = []
            for body in bodies[start : start + 8]:
                link = socket.create_connection((host, int(port)))
                link.sendall(b"POST /0/send/ HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body))
                link.sendall(body)
                sockets.append(link)
            for link in sockets:
                left = 1
                while left:
                    left = not link.recv(65536).endswith(b"]")
                link.close()
        return len(bodies) * 100 / (time.perf_counter() - began)

    gateway, loop = bench.in_turn(pumped, bare(bench, 20_000, "send/"))
    note = f"{median(gateway):,.0f}/s, the loop {median(loop):,.0f}/s"
    yield Figure("gateway against the bare loop", ratio(gateway, loop), note=note)


def drain(bench: Bench, count: int = 50_000) -> Iterator[Figure]:
    """All that is due, without latency; on PostgreSQL django-post_office beside it."""
    few = count // 10

    def app() -> float:
        rows.clear()
        rows.due(count)
        rows.analyze()
        return bench.rate("drain", count)

    def post_office() -> float:
        fill_post_office(few)
        return bench.rate("post_office", few)

    measures: list[Callable[[], float]] = [app, bare(bench, count, "send/")]
    if bench.vendor == "postgresql":
        measures.append(post_office)
    ours, loop, *rival = bench.in_turn(*measures)
    note = f"{median(ours):,.0f}/s of {median(loop):,.0f}/s"
    target = DRAIN[database_name()]
    yield Figure("drain: share of the bare loop", ratio(ours, loop), target, note=note)
    if rival:
        note = f"{median(ours):,.0f}/s against {median(rival[0]):,.0f}/s"
        yield Figure("drain: against post_office", ratio(ours, rival[0]), 15, note=note)


def latency(bench: Bench) -> Iterator[Figure]:
    """The same at a gateway that takes its time, up to 200 ms."""
    for wait, count, few, target in LATENCIES:

        def app(wait: int = wait, count: int = count) -> float:
            rows.clear()
            rows.due(count)
            return bench.rate("drain", count, latency=wait)

        def post_office(wait: int = wait, few: int = few) -> float:
            fill_post_office(few)
            return bench.rate("post_office", few, latency=wait)

        ours, rival = bench.in_turn(app, post_office)
        bench.series.setdefault("this app", []).append((wait, median(ours)))
        bench.series.setdefault("django-post_office", []).append((wait, median(rival)))
        note = f"{median(ours):,.0f}/s against {median(rival):,.0f}/s"
        yield Figure(f"{wait} ms: against post_office", ratio(ours, rival), target, note=note)


def hidden(bench: Bench) -> Iterator[Figure]:
    """How much of 200 ms is hidden by requests under way at once."""
    for concurrency in (4, 8):
        count = concurrency * 10_000  # so many that the first and the last request do not matter

        def app(concurrency: int = concurrency, count: int = count) -> float:
            rows.clear()
            rows.due(count)
            return bench.rate(
                "drain", count, latency=200, concurrency=concurrency + 1
            )  # one is kept

        [ours] = bench.in_turn(app)
        possible = concurrency * 100 / 0.2
        note = f"{median(ours):,.0f}/s of {possible:,.0f}/s"
        work = f"200 ms hidden, concurrency {concurrency}"
        yield Figure(work, median(ours) / possible, 0.9, note=note)


def statements(bench: Bench) -> Iterator[Figure]:
    """What a batch, a refresh and a run with nothing to do ask of the database."""

    def counted(work: Callable[[], Any]) -> int:
        with CaptureQueriesContext(connection) as captured:
            work()
        return sum(not query["sql"].startswith(MARKS) for query in captured)

    for size in (10, 100):
        rows.clear()
        rows.due(3 * size)
        deliver(limit=size, batch_size=size)
        one = counted(partial(deliver, limit=size, batch_size=size))
        rows.due(size)
        two = counted(partial(deliver, limit=2 * size, batch_size=size))
        yield Figure(f"statements a batch of {size}", two - one, 6, at_most=True, unit="")
    rows.clear()
    rows.accepted(200)
    both = counted(ask)
    yield Figure("statements a refresh of 100", (both - 1) / 2, 5, at_most=True, unit="")

    rows.clear()
    deliver()

    def nothing() -> None:
        deliver()
        ask()

    yield Figure("statements for nothing to do", counted(nothing), 5, at_most=True, unit="")


def size(
    bench: Bench, totals: tuple[int, ...] = (50_000, 250_000, 1_000_000), target: float = 1.15
) -> Iterator[Figure]:
    """Claims from 50,000 due in a small table and in one of a million."""
    measured = {}
    for total in totals:
        rows.clear()
        rows.due(50_000)
        rows.scheduled(total // 2 if total > 50_000 else 0)
        rows.sent(max(0, total - 50_000 - total // 2))
        rows.analyze()
        bench.run("claims", count=10)
        times = [bench.run("claims", count=40)["seconds"] for _ in range(bench.rounds)]
        measured[total] = median(times)
        bench.series.setdefault(database_name(), []).append((total, 100 / measured[total]))
    small, *_, large = measured.values()
    note = f"{large * 1000:.1f} ms against {small * 1000:.1f} ms"
    work = f"claim of 100 in {totals[-1]:,} against {totals[0]:,}"
    yield Figure(work, large / small, target, at_most=True, note=note)


def huge(bench: Bench) -> Iterator[Figure]:
    """The same in five million. By its name only: to write them alone takes minutes."""
    yield from size(bench, (50_000, 5_000_000), 1.3)


def bytes_a_message(bench: Bench, count: int = 200_000) -> Iterator[Figure]:
    """Bytes that a sent message takes in its table and indexes, without the journal."""
    rows.clear()
    rows.sent(count, batch=rows.batch_key_sql())
    rows.analyze()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_table_size(name), pg_indexes_size(name)"
            " FROM (SELECT 'mobilon_sms_smsmessage'::regclass AS name) message"
        )
        table, indexes = (total / count for total in cursor.fetchone())
    note = f"{table:.0f} in the table, {indexes:.0f} in its indexes"
    yield Figure("bytes a message", table + indexes, 450, at_most=True, unit="bytes", note=note)


def profile(bench: Bench, count: int = 20_000) -> Iterator[Figure]:
    """Where the time of a batch goes, by what is asked of the database; once, in this process."""
    spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            spent[name] += time.perf_counter() - began

    def execute(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
        with timed(_what(sql)):
            return run(sql, *rest)

    rows.clear()
    rows.due(count)
    rows.analyze()
    connection.ensure_connection()
    commit = connection._commit

    def committed() -> None:
        with timed("commits"):
            commit()

    connection._commit = committed
    try:
        with timed("all of it"), connection.execute_wrapper(execute):
            deliver()
    finally:
        connection._commit = commit
    spent["the rest: Python"] = 2 * spent["all of it"] - sum(spent.values())
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        yield Figure(f"profile of a batch: {name}", seconds / count * 100_000, unit="ms")


def _what(sql: str) -> str:
    verb = sql.split(maxsplit=1)[0]
    if verb == "UPDATE" and "mobilon_sms_smsmessage" in sql[:30]:
        return "its messages are accepted" if "gateway_id" in sql else "its messages are claimed"
    if "mobilon_sms_smsbatch" in sql[:40]:
        return "its journal row, outcome" if verb == "UPDATE" else "its journal row, new"
    return "what is due" if "UNION ALL" in sql else "the state of the gateway and others"


def refresh(bench: Bench, count: int = 50_000) -> Iterator[Figure]:
    """What became of 50,000."""

    def app() -> float:
        rows.clear()
        rows.accepted(count)
        rows.analyze()
        return bench.rate("refresh", count)

    ours, loop = bench.in_turn(app, bare(bench, count, "status/"))
    target = 0.22 if bench.vendor == "postgresql" else None
    note = f"{median(ours):,.0f}/s of {median(loop):,.0f}/s"
    yield Figure("refresh: share of the bare loop", ratio(ours, loop), target, note=note)


def memory(bench: Bench, count: int = 1_000_000) -> Iterator[Figure]:
    """The peak over an idle process while a million is drained; once, for it takes minutes."""
    rows.clear()
    rows.due(count)
    rows.analyze()
    result = bench.run("memory")
    note = f"{result['count']:,} messages, idle {result['idle']:.0f} MiB"
    yield Figure("memory over idle", result["over"], 40, at_most=True, unit="MiB", note=note)


#: By name; those of one database only are about a server that many processes share.
PARTS: dict[str, Callable[..., Iterator[Figure]]] = {
    part.__name__: part
    for part in (
        *(gateway, statements, drain, profile, latency, hidden, processes, size, huge, refresh),
        *(bytes_a_message, events, memory, writing, single, mailing, importing),
        *(doors, reports, urgent, killed, rivals),
    )
}
POSTGRESQL_ONLY = {"latency", "processes", "bytes_a_message", "doors", "urgent"}
POSTGRESQL_ONLY |= {"killed", "rivals"}
BY_NAME_ONLY = {"huge"}
#: The parts whose number of messages may be chosen.
WITH_COUNT = {name for name, part in PARTS.items() if "count" in signature(part).parameters}
