"""The table and the plots of the results, for ``docs/explanation/performance.rst``."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot

from .rows import NAMES


def write(folder: Path) -> None:
    """Read each database's figures; write ``table.csv`` and what can be drawn."""
    results = {
        vendor: json.loads(path.read_text())
        for vendor in NAMES
        if (path := folder / f"{vendor}.json").exists()
    }
    _table(folder / "table.csv", results)
    mpl.rcParams.update({"svg.hashsalt": "same", "svg.fonttype": "none", "font.size": 9})
    _latency(folder / "latency.svg", results)
    _size(folder / "table_size.svg", results)
    _processes(folder / "processes.svg", results)


def _table(path: Path, results: dict[str, Any]) -> None:
    with path.open("w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["work", "database", "target", "measured", "met", "", "commits/s", "part"])
        for vendor, found in results.items():
            for part, kept in found["parts"].items():
                for figure in kept["figures"]:
                    lines.writerow(_line(figure, NAMES[vendor], kept["commits"], part))


def _line(figure: dict[str, Any], database: str, commits: int, part: str) -> list[Any]:
    unit = f" {figure['unit']}" if figure["unit"] else ""
    sign = "≤" if figure["at_most"] else "≥"
    target = "" if figure["target"] is None else f"{sign} {figure['target']:g}{unit}"
    met = {True: "yes", False: "no", None: ""}[figure["met"]]
    measured = f"{float(format(figure['measured'], '.3g')):g}{unit}"
    return [figure["work"], database, target, measured, met, figure["note"], commits, part]


def _series(results: dict[str, Any], part: str) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for kept in results.values():
        found |= kept["parts"].get(part, {}).get("series", {})
    return found


def _latency(path: Path, results: dict[str, Any]) -> None:
    if series := _series(results, "latency"):
        figure, axes = pyplot.subplots(figsize=(6, 3.4))
        for name, points in series.items():
            axes.plot(*zip(*points), marker="o", label=name)
        axes.set(xlabel="latency of the gateway, ms", ylabel="messages a second", yscale="log")
        axes.set_ylim(bottom=1)
        _save(figure, axes, path)


def _size(path: Path, results: dict[str, Any]) -> None:
    if series := _series(results, "size"):
        figure, axes = pyplot.subplots(figsize=(6, 3.4))
        for vendor, points in series.items():
            axes.plot(*zip(*points), marker="o", label=NAMES[vendor])
        axes.set(xlabel="messages in the table", ylabel="messages claimed a second")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(lambda value, _position: f"{value:,.0f}")
        _save(figure, axes, path)


def _processes(path: Path, results: dict[str, Any]) -> None:
    if points := _series(results, "processes").get("processes"):
        figure, axes = pyplot.subplots(figsize=(6, 3.4))
        axes.plot(*zip(*points), marker="o", label="measured")
        first = points[0][1]
        axes.plot([1, 4], [first, 4 * first], linestyle=":", label="of one, times so many")
        axes.set(xlabel="processes of concurrency 1, at 100 ms", ylabel="messages a second")
        axes.set_xticks([number for number, _ in points])
        axes.set_ylim(bottom=0)
        _save(figure, axes, path)


def _save(figure: Any, axes: Any, path: Path) -> None:
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
