"""``python -m benchmarks [PART ...]``: figures on this machine, as ratios of two measured in turn.

Run by hand: a noisy machine fails no test. It ends with 0, whatever the figures are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .rows import NAMES

#: The packages that the app is measured beside.
RIVALS = ("django-post-office", "django-mailer", "procrastinate", "django-tasks-db")
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure on each database in a process that has it as its own, then draw."""
    options = arguments()
    if options.inside:
        inside(options)
        return
    for database in options.database:
        address = "sqlite:///bench" if database in {"sqlite", "wal"} else database
        environment = os.environ | {
            "DATABASE_URL": address,
            "BENCH_WAL": str(database == "wal"),
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        }
        chosen = [*options.parts, "--database", database, "--rounds", str(options.rounds)]
        chosen += ["--results", str(options.results)]
        chosen += ["--count", str(options.count)] if options.count else []
        command = [sys.executable, "-m", "benchmarks", "--inside", *chosen]
        subprocess.run(command, env=environment, check=True)
    from . import report

    report.write(options.results)


def arguments() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help="all parts unless some are named")
    parser.add_argument(
        "--database",
        action="append",
        help="sqlite, wal, or an address like postgres://postgres@127.0.0.1:5432/test;"
        " may be repeated; sqlite by default",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--count",
        type=int,
        help="messages, instead of each part's own number, such as 5000000 for doors",
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.database = options.database or ["sqlite"]
    return options


def inside(options: argparse.Namespace) -> None:
    """Make the database, measure the parts on it, and write down their figures."""
    import django

    django.setup()
    from django.db import connection

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sqlite = connection.vendor == "sqlite"
        name = str(Path(folder) / "bench.sqlite3") if sqlite else f"bench_{os.getpid()}"
        connection.settings_dict["TEST"]["NAME"] = name
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        address = os.environ["DATABASE_URL"].rpartition("/")[0] if not sqlite else "sqlite://"
        os.environ["DATABASE_URL"] = f"{address}/{name}"
        try:
            measure(options)
        finally:
            connection.creation.destroy_test_db(name, verbosity=0)


def measure(options: argparse.Namespace) -> None:
    """Each part that is asked for, its lines printed as they come."""
    from django.test.utils import override_settings

    from .measure import Bench, commits_a_second, database_name, gateway
    from .parts import BY_NAME_ONLY, PARTS, POSTGRESQL_ONLY, WITH_COUNT

    database = database_name()
    path = options.results / f"{database}.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"parts": {}}
    if unknown := set(options.parts) - set(PARTS):
        raise SystemExit(f"There is no part {', '.join(unknown)}: choose of {', '.join(PARTS)}.")
    with gateway() as url, override_settings(MOBILON_SMS_BASE_URL=f"{url}/0/"):
        for name in options.parts or (name for name in PARTS if name not in BY_NAME_ONLY):
            if name in POSTGRESQL_ONLY and database != "postgresql":
                continue
            given = {"count": options.count} if options.count and name in WITH_COUNT else {}
            bench = Bench(url, dict(os.environ), options.rounds)
            commits = commits_a_second()
            figures = []
            for figure in PARTS[name](bench, **given):
                figures.append(vars(figure) | {"met": figure.met})
                target = "" if figure.target is None else f"target {figure.target:g}"
                line = f"{figure.work:<44} {figure.measured:9.3f} {figure.unit:<3} {target:<12}"
                print(f"{NAMES[database]:<11} {line} {figure.note}", flush=True)
            kept["parts"][name] = {
                "figures": figures,
                "series": bench.series,
                "commits": round(commits),
            }
            kept["machine"] = machine()
            options.results.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    from django.db import connection

    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    cpus = [line.partition(": ")[2] for line in cpuinfo.splitlines() if "model name" in line]
    number = ".".join(map(str, connection.get_database_version()))
    packages = ("Django", "djangorestframework", "requests", "celery", *RIVALS)
    return {
        "processor": f"{os.cpu_count()} x {cpus[0] if cpus else platform.processor()}",
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
        NAMES[connection.vendor]: number,
    } | {name: version(name) for name in packages}


if __name__ == "__main__":
    main()
