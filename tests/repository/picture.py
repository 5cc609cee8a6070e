"""The picture of the rooms and their arrows, drawn from the imports.

``python -m tests.repository.picture`` writes it to ``docs/images/rooms.svg``. An arrow that others
imply is left out: where admin uses outbox and outbox uses models, admin may use models too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from tests.repository import imports

PICTURE = imports.PACKAGE.parent / "docs/images/rooms.svg"

WIDTH, FLOOR, BOX, HEIGHT, GAP = 960, 84, 142, 38, 18
STYLE = """
  .room { fill: #fff; stroke: #44698d; stroke-width: 1.5 }
  .public { fill: #eaf2fa }
  .name { font: 600 15px system-ui, sans-serif; fill: #1d2c3a; text-anchor: middle }
  .arrow { fill: none; stroke: #8097ad; stroke-width: 1.4 }
"""


def draw() -> str:
    """Return the picture as SVG."""
    known = imports.modules()
    edges = top_edges(known)
    places = lay_out({name for edge in edges for name in edge} | {"sandbox"})
    height = max(y for _, y in places.values()) + HEIGHT + GAP
    parts = [arrow(places[a], places[b]) for a, b in sorted(without_implied(edges))]
    parts += [box(name, place, is_file=known[name].stem == name) for name, place in places.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' aria-label="The rooms of the package and their imports">\n'
        f"<style>{STYLE}</style>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#8097ad"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def top_edges(known: Mapping[str, Path]) -> set[tuple[str, str]]:
    """Return the arrows between the top rooms, without those that every app has."""
    found = imports.arrows(imports.imports(known), known)
    pairs = {(a.partition(".")[0], b.partition(".")[0]) for a, b in found}
    return {
        (a, b) for a, b in pairs if a != b and not {a, b} & {"apps", "migrations", "templatetags"}
    }


def without_implied(edges: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the arrows without those that a longer way of arrows implies."""
    edges = set(edges)

    def reaches(start: str, end: str) -> bool:
        return any(b == end or reaches(b, end) for a, b in edges if a == start)

    return {
        (a, b)
        for a, b in edges
        if not any(reaches(middle, b) for source, middle in edges if source == a and middle != b)
    }


def lay_out(names: set[str]) -> dict[str, tuple[float, float]]:
    """Return the upper left corner of each room's box: a row for each floor."""
    rows = [[name for name in row if name in names] for row in imports.FLOORS]
    places = {}
    for number, row in enumerate(row for row in rows if row):
        step = WIDTH / len(row)
        for column, name in enumerate(row):
            places[name] = (step * (column + 0.5) - BOX / 2, GAP + number * FLOOR)
    return places


def box(name: str, place: tuple[float, float], *, is_file: bool) -> str:
    """Return a room's box; a public module's is tinted."""
    x, y = place
    kind = "room public" if is_file else "room"
    return (
        f'<rect class="{kind}" x="{x:.0f}" y="{y:.0f}" width="{BOX}" height="{HEIGHT}" rx="5"/>'
        f'<text class="name" x="{x + BOX / 2:.0f}" y="{y + 24:.0f}">{escape(name)}</text>'
    )


def arrow(source: tuple[float, float], target: tuple[float, float]) -> str:
    """Return an arrow: from box to box down the floors, or along one."""
    (x1, y1), (x2, y2) = source, target
    if y1 == y2:
        start, end = (x1 + BOX, x2) if x1 < x2 else (x1, x2 + BOX)
        middle = y1 + HEIGHT / 2
        line = f"M{start:.0f} {middle:.0f} H{end:.0f}"
    else:
        x1, x2, y1 = x1 + BOX / 2, x2 + BOX / 2, y1 + HEIGHT
        points = (x1, y1, x1, y1 + 30, x2, y2 - 30, x2, y2)
        line = "M{:.0f} {:.0f} C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}".format(*points)
    return f'<path class="arrow" marker-end="url(#tip)" d="{line}"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
