"""``python -m tests.endurance.chaos``: run storms on real workers, and print their findings.

Each database has a process of its own; two run at a time. The exit code is 0 only if no message
was lost, sent twice, or shown with a wrong status.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import cells
from .cells import Cell
from .invariants import Findings

SETS = {"short": cells.short, "long": cells.long, "around": cells.around}
SHOWN = (
    *("messages", "posts", "kills", "stops", "cuts", "faults"),
    *("extra_copies", "false_sent", "false_unsent", "lost", "stuck"),
    *("events", "reader_kills", "events_missed", "events_unread", "events_twice"),
    *("by_design", "unknown", "gone_out", "late", "deadlocks", "locked"),
)


def main() -> int:
    """Run the cells and return the exit code."""
    options = arguments()
    if options.inside:
        return inside(options)
    with ThreadPoolExecutor(options.jobs) as pool:
        results = [
            line
            for lines in pool.map(lambda d: outside(d, options), options.database)
            for line in lines
        ]
    if not results:
        raise SystemExit(f"No storm's name begins with {options.only!r}.")
    total = sum((findings for _, findings in results), Findings())
    by_kind: dict[tuple[str, str], Findings] = {}
    for cell, findings in results:
        key = (shown(cell.database), cell.kind)
        by_kind[key] = by_kind.get(key, Findings()) + findings
    print(row("total", "", total))
    if options.csv:
        write_csv(options.csv, by_kind, total)
    print(f"{len(results)} storms: {total.violations or 'nothing lost, nothing twice'}")
    return 1 if total.violations else 0


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance.chaos", description=__doc__)
    parser.add_argument("--set", choices=SETS, default="short")
    parser.add_argument(
        "--database",
        action="append",
        help="sqlite, wal, or an address like postgres://postgres@127.0.0.1:5432/test;"
        " may be repeated; by default sqlite and wal",
    )
    parser.add_argument("--only", default="", help="only cells whose name begins with this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="databases at a time")
    parser.add_argument("--csv", type=Path, help="where to write the sums of each kind")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.database = options.database or ["sqlite", "wal"]
    return options


def chosen(database: str, options: argparse.Namespace) -> Iterator[Cell]:
    """Yield the cells of the set for this database, each with its own seed."""
    for number, cell in enumerate(SETS[options.set](database)):
        if cell.name.startswith(options.only):
            yield dataclasses.replace(cell, seed=options.seed * 1000 + number)


def outside(database: str, options: argparse.Namespace) -> list[tuple[Cell, Findings]]:
    """Run the cells of a database in a process of their own; print each result."""
    address = "sqlite:///chaos" if database in {"sqlite", "wal"} else database
    environment = os.environ | {
        "DATABASE_URL": address,
        "DJANGO_SETTINGS_MODULE": "tests.endurance.chaos.settings",
        "CHAOS_WAL": "1" if database == "wal" else "",
    }
    selection = ["--set", options.set, "--only", options.only, "--seed", str(options.seed)]
    command = [
        sys.executable,
        "-m",
        "tests.endurance.chaos",
        "--inside",
        "--database",
        database,
        *selection,
    ]
    results = []
    todo = list(chosen(database, options))
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        for cell, line in zip(todo, child.stdout or (), strict=False):
            findings = Findings(**json.loads(line))
            results.append((cell, findings))
            print(row(f"{shown(database)} {cell.name}", f"seed {cell.seed}", findings), flush=True)
    if child.returncode or len(results) < len(todo):
        raise SystemExit(f"{database}: ended with {child.returncode} after {len(results)} storms")
    return results


def wait_shortly(connection: Any, **_signal: object) -> None:
    """Let nobody wait long for a lock, because a stopped worker that holds one must be woken."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")


def inside(options: argparse.Namespace) -> int:
    """Create the database, run its cells, and print the findings of each as JSON."""
    import django

    django.setup()
    from django.db.backends.signals import connection_created

    connection_created.connect(wait_shortly)
    from django.core.management import call_command
    from django.db import connection

    from . import history
    from .storm import run

    [database] = options.database
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        named = connection.settings_dict
        name = f"chaos_{os.getpid()}"
        named["TEST"]["NAME"] = (
            str(Path(folder) / "outbox.sqlite3") if database in {"sqlite", "wal"} else name
        )
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        os.environ["DATABASE_URL"] = address(connection.settings_dict["NAME"])
        history.install()
        try:
            for number, cell in enumerate(chosen(database, options)):
                call_command("flush", interactive=False, verbosity=0)
                history.clear()
                findings = run(cell, Path(folder) / str(number))
                print(json.dumps(dataclasses.asdict(findings)), flush=True)
        finally:
            connection.creation.destroy_test_db(named["NAME"], verbosity=0)
    return 0


def address(name: str) -> str:
    """Return DATABASE_URL with another database name."""
    url = os.environ["DATABASE_URL"]
    return f"sqlite:///{name}" if url.startswith("sqlite") else f"{url.rpartition('/')[0]}/{name}"


def shown(database: str) -> str:
    """Return the name of a database without its address."""
    names = {"sqlite": "SQLite", "wal": "SQLite WAL", "postgres": "PostgreSQL", "mysql": "MariaDB"}
    return names.get(database.partition(":")[0], database)


def row(name: str, note: str, findings: Findings) -> str:
    """Return a line of the table."""
    counts = " ".join(f"{field}={getattr(findings, field)}" for field in SHOWN)
    bad = f"  VIOLATIONS {findings.violations}" if findings.violations else ""
    return f"{name:<34} {counts} {note}{bad}"


def write_csv(path: Path, by_kind: dict[tuple[str, str], Findings], total: Findings) -> None:
    """Write the sums for each database and kind, and the total, for the documentation."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["database", "storm", *(name.replace("_", " ") for name in SHOWN)])
        for (database, kind), findings in grouped(by_kind):
            writer.writerow([database, kind, *(getattr(findings, name) for name in SHOWN)])
        writer.writerow(["all", "", *(getattr(total, name) for name in SHOWN)])


def grouped(
    by_kind: dict[tuple[str, str], Findings],
) -> Iterable[tuple[tuple[str, str], Findings]]:
    """Return the findings with all faults that strike alone as one kind."""
    groups: dict[tuple[str, str], Findings] = {}
    for (database, kind), findings in by_kind.items():
        key = (database, "one fault at 100 %" if kind.endswith("%") else kind)
        groups[key] = groups.get(key, Findings()) + findings
    return groups.items()


if __name__ == "__main__":
    sys.exit(main())
