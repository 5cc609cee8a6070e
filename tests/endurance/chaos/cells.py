"""Cells: combinations of database, workers, batch size, faults and strikes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from .apps import POINTS

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
