"""Cells: combinations of database, workers, batch size, faults and strikes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from .apps import POINTS, RESEND_MARGIN
from .settings import MOBILON_SMS_LEASE

#: Every fault that a POST can meet, each alone and at 100 %.
ALONE: list[dict[str, Any]] = [
    *(
        {"name": name}
        for name in (
            *("close_unread", "reset_unread", "close_after_read", "reset_after_read", "hang"),
            *("not_http", "half_status_line", "half_header", "long_header", "many_headers"),
            *("early_hints", "drip_headers", "drip_body", "cut_body", "cut_without_length"),
            *("cut_chunked", "bad_chunk", "bad_gzip", "gzip_bomb", "five_megabytes", "endless"),
            *("not_json", "html", "empty", "null", "object", "nested", "bom", "charset", "deep"),
            *("huge_int", "nan", "duplicate_keys", "shuffled", "partial", "doubled"),
            *("contradictory", "strangers", "same_id", "extra_keys", "no_id", "null_id", "int_id"),
            *("long_id", "other_id", "upper_guid", "other_guid", "status", "string_status"),
            *("float_status", "true_status", "false_status", "code_201", "code_202", "code_204"),
        )
    ),
    *({"name": f"http_{code}"} for code in (302, 400, 401, 403, 408, 413, 422, 429, 500, 503)),
    *({"name": f"http_{code}", "taken": True} for code in (302, 408, 500, 502, 503, 504)),
]
#: Faults that are set together, so that 30 % of the POSTs meet one.
MIXED: list[dict[str, Any]] = [
    {"name": "reset_unread"},
    {"name": "reset_after_read"},
    {"name": "close_after_read"},
    {"name": "http_500", "taken": True},
    {"name": "http_503"},
    {"name": "http_429"},
    {"name": "http_413"},
    {"name": "cut_body"},
    {"name": "html"},
    {"name": "partial"},
    {"name": "contradictory"},
    {"name": "no_id"},
    {"name": "late", "seconds": 3},
]
MIXED_RATE = 1 - 0.7 ** (1 / len(MIXED))

#: Kinds of storms after which no message may be unknown.
PROVABLE = {
    *("dead addresses", "slow names", "slow receivers", "dripped statuses", "full disk"),
    *("reader gone", "locked rows"),
}
#: Kinds that widen a hole which the protocol leaves, until a person falls in.
HOLES = {"suspended", "clock jumps"}

#: Kinds of storms in which events are written, and read by a reader that is killed.
WITH_READER = {"killed", "database", "lost commits"}

PEOPLE = ("resend", "resolve", "cancel", "pause")
KILLS = (*(f"KILL {point}" for point in POINTS), "KILL", "KILL", "TERM")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One storm. The seed gives the order of ``strikes``; ``messages`` are written in between."""

    kind: str
    database: str
    workers: int
    batch: int
    messages: int
    strikes: tuple[str, ...] = ()
    faults: tuple[dict[str, Any], ...] = ()
    latency: float = 0.05
    seed: int = 0
    around: str = ""

    @property
    def can_prove(self) -> bool:
        """Whether no message may become unknown, because each reply can be read and recorded."""
        return self.kind in PROVABLE

    @property
    def may_overtake(self) -> bool:
        """Whether copies may arrive after a resend, by the holes that the protocol leaves."""
        return self.kind in HOLES

    @property
    def has_reader(self) -> bool:
        """Whether events are written and read; without them the app updates differently."""
        return self.kind in WITH_READER and self.batch > 1

    @property
    def suspension(self) -> float:
        """How long a stopped worker stands still, in seconds."""
        beyond = RESEND_MARGIN + 3 if self.kind == "suspended" else 1
        return float(MOBILON_SMS_LEASE + beyond)

    @property
    def name(self) -> str:
        """Name in the table and on the command line."""
        return f"{self.kind} {self.workers}x{self.batch}"


def alone(fault: dict[str, Any]) -> dict[str, Any]:
    """Return the fault for every request."""
    return {"rate": 1.0} | fault


def mixed() -> tuple[dict[str, Any], ...]:
    """Return faults for three requests of ten."""
    return tuple({"rate": MIXED_RATE} | fault for fault in MIXED)


def many(strikes: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return ``count`` of these strikes in turn, with the actions of people added."""
    return tuple(strikes[n % len(strikes)] for n in range(count)) + PEOPLE * (count // 6 + 1)


def own_troubles(database: str, count: int) -> tuple[str, ...]:
    """Return the strikes on this database: cut connections, or a locked file."""
    if database.startswith(("sqlite", "wal")):
        return ("lock",) * (count // 10 or 1)
    return ("cut",) * count


DRIPS = tuple(
    {"name": name, "path": "/status/", "rate": rate}
    for name, rate in (("drip_body", 0.5), ("drip_headers", 1.0))
)
JUMPS = tuple(f"jump {seconds}" for seconds in (3600, 0, -3600, 86400, 0, -86400))


def around(database: str) -> Iterator[Cell]:
    """Yield the storms around the workers: in their process, and on their way to the database."""
    yield Cell("dead addresses", database, 2, 10, 200, around="dead addresses")
    yield Cell("slow names", database, 2, 10, 100, around="slow names")
    yield Cell("slow receivers", database, 2, 10, 200, around="slow receivers")
    yield Cell("full disk", database, 2, 10, 100, ("TERM",), around="full disk")
    yield Cell("reader gone", database, 2, 10, 100, ("TERM",), around="reader gone")
    yield Cell("dripped statuses", database, 2, 10, 100, ("ask", "TERM", "ask"), DRIPS)
    yield Cell("clock jumps", database, 2, 10, 200, (*JUMPS, *PEOPLE), around="clock")
    yield Cell("clock jumps", database, 3, 10, 100, ("suspend 3600",), around="clock")
    yield Cell("suspended", database, 3, 10, 100, ("suspend",))
    if not database.startswith(("sqlite", "wal")):
        yield Cell("read-only", database, 2, 10, 200, ("read_only",) * 3, around="bound user")
        yield Cell("lost commits", database, 2, 10, 300, ("lose_commit",) * 8, around="proxy")
        yield Cell("locked rows", database, 3, 10, 300, ("pause_behind_lock",) * 4)


#: Which of these come with every change, so that each comes once.
EVERY_TIME = {
    "sqlite": ("clock jumps", "full disk"),
    "wal": ("slow receivers", "dripped statuses"),
    "postgres": ("lost commits", "locked rows", "slow names"),
    "mysql": ("read-only", "dead addresses", "suspended", "reader gone"),
}


def short(database: str) -> Iterator[Cell]:
    """Yield a few cells of each kind, to run with every change."""
    yield Cell("killed", database, 1, 10, 200, many(KILLS, 5))
    yield Cell("killed", database, 8, 10, 400, many(KILLS[:6], 6), mixed())
    yield Cell("killed", database, 4, 100, 2000, many(KILLS[4:], 6))
    yield Cell("killed", database, 2, 1, 100, many(KILLS[2:], 4), mixed())
    yield Cell(
        "stopped",
        database,
        3,
        10,
        100,
        ("STOP before_post", "STOP after_post", "STOP before_record"),
    )
    yield Cell("database", database, 2, 10, 200, own_troubles(database, 8))
    for fault in (ALONE[3], {"name": "http_500", "taken": True}, {"name": "http_403"}):
        yield Cell(f"{fault['name']} at 100 %", database, 2, 10, 40, (), (alone(fault),))
    kinds = EVERY_TIME[database.partition(":")[0]]
    yield from (cell for cell in around(database) if cell.kind in kinds)


def long(database: str) -> Iterator[Cell]:
    """Yield all cells: 100,000 messages and 1,000 kills on four databases."""
    for workers in (1, 2, 4, 8):
        for batch, messages in ((1, 400), (10, 1500), (100, 7000)):
            faults = mixed() if (workers + batch) % 2 else ()
            yield Cell("killed", database, workers, batch, messages, many(KILLS, 26), faults)
    for workers in (2, 8):
        stops = ("STOP before_post", "STOP claimed", "STOP after_post", "STOP before_record")
        yield Cell("stopped", database, workers, 10, 300, (*stops, "STOP", "STOP", *PEOPLE))
        troubles = own_troubles(database, 20)
        yield Cell("database", database, workers, 10, 500, (*troubles, *PEOPLE))
    for fault in ALONE:
        taken = ", taken" if fault.get("taken") else ""
        yield Cell(f"{fault['name']}{taken} at 100 %", database, 2, 10, 40, (), (alone(fault),))
    yield from around(database)
