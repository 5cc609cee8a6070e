"""The rooms of the app and the imports between them, read from the code.

``python -m tests.repository.imports`` prints them. A room is a folder of the package, or a module
at its root; an arrow is an import from one room to another. ``test_imports.py`` holds what must be
true of them, and ``docs/explanation/architecture.rst`` shows them.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[2] / "django_mobilon_sms"

#: From the top down. An import points to a lower floor, or to another room of the same one.
FLOORS = (
    ("apps", "templatetags"),
    ("rest", "admin", "management", "contrib"),
    ("mailings", "webhooks"),
    ("outbox", "worker", "operations", "testing"),
    ("limits", "events"),
    ("models",),
    ("signals", "gateway", "database"),
    ("conf",),
    ("choices", "exceptions", "phone_numbers", "segments"),
    # These two import nothing of the app.
    ("sandbox", "migrations"),
)
#: The doors: each is entered from outside, and none imports another.
DOORS = FLOORS[1]


class Import(NamedTuple):
    """An import of one module of the app by another."""

    source: str
    target: str
    through: str  # the module or room that the statement names
    line: int


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Return the modules of the package by their dotted names, without the package's own."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        if name := ".".join(parts[:-1] if parts[-1] == "__init__" else parts):
            found[name] = path
    return found


def room(module: str, known: Mapping[str, Path]) -> str:
    """Return the room of a module: its folder, or the module itself at the root."""
    is_package = known[module].name == "__init__.py"
    return module if is_package or "." not in module else module.rpartition(".")[0]


def floor(name: str) -> int:
    """Return the number of a room's floor, 0 at the top. Raises ``LookupError``."""
    top = name.partition(".")[0]
    for number, rooms in enumerate(FLOORS):
        if top in rooms:
            return number
    raise LookupError(f"{top} has no floor")


def imports(known: Mapping[str, Path]) -> Iterator[Import]:
    """Return every import of the app's own modules, by any of its modules."""
    for name, path in known.items():
        yield from imports_of(name, path.read_text(encoding="utf-8"), known)


def imports_of(name: str, source: str, known: Mapping[str, Path]) -> Iterator[Import]:
    """Return the imports of the app's own modules in the source of one of them."""
    is_package = name in known and known[name].name == "__init__.py"
    package = name if is_package else name.rpartition(".")[0]
    for line, base, names in own_names(source, package):
        for imported in names:
            full = f"{base}.{imported}".strip(".")
            target = full if full in known else base
            if target != name:
                yield Import(name, target, base, line)


def own_names(source: str, package: str) -> Iterator[tuple[int, str, list[str]]]:
    """Return each import of the app's own: its line, the module or room, the names.

    Imports for types only and inside functions count like any other.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top, _, rest = alias.name.partition(".")
                if top == PACKAGE.name:
                    yield node.lineno, rest, [""]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            module = node.module or ""
            if node.level:
                parents = f"{PACKAGE.name}.{package}".strip(".").split(".")
                kept = parents[: len(parents) - node.level + 1]
                module = ".".join([*kept, module]).strip(".")
            top, _, rest = module.partition(".")
            if top == PACKAGE.name:
                yield node.lineno, rest, names


def arrows(found: Iterable[Import], known: Mapping[str, Path]) -> Counter[tuple[str, str]]:
    """Count the imports between each two rooms."""
    pairs = ((room(each.source, known), room(each.target, known)) for each in found)
    return Counter((source, target) for source, target in pairs if source != target)


def upward(found: Iterable[Import]) -> list[Import]:
    """Return the imports that point to a higher floor, or from one door to another."""
    wrong = []
    for each in found:
        source, target = (name.partition(".")[0] for name in (each.source, each.target))
        if floor(source) > floor(target) or (source != target and {source, target} <= {*DOORS}):
            wrong.append(each)
    return wrong


def cycles(edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the groups of names that reach one another (Tarjan's algorithm)."""
    graph: dict[str, set[str]] = {}
    for source, target in edges:
        graph.setdefault(source, set()).add(target)
        graph.setdefault(target, set())
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for name in sorted(graph):
        if name not in order:
            visit(name)
    return groups


def module_edges(found: Iterable[Import], known: Mapping[str, Path]) -> set[tuple[str, str]]:
    """Return which module imports which; a room's own ``__init__`` only hands names out."""
    return {
        (each.source, each.target)
        for each in found
        if not (
            known[each.target].name == "__init__.py" and each.source.startswith(f"{each.target}.")
        )
    }


def report() -> list[str]:
    """Return the rooms by floor, the arrows between them, and what is wrong."""
    known = modules()
    found = list(imports(known))
    rooms = {room(name, known) for name in known}
    between = arrows(found, known)
    lines = []
    for number, _ in enumerate(FLOORS):
        for name in sorted(each for each in rooms if floor(each) == number):
            below = sorted(target for source, target in between if source == name)
            lines.append(f"{number}  {name:<20} -> {' '.join(below)}".rstrip(" ->"))
    loops = cycles(module_edges(found, known))
    wrong = upward(found)
    lines += [
        "",
        f"{len(rooms)} rooms, {len(between)} arrows, {len(known)} modules",
        f"cycles {len(loops)}" + "".join(f"\n  {' '.join(loop)}" for loop in loops),
        f"upward {len(wrong)}" + "".join(f"\n  {e.source} -> {e.target}" for e in wrong),
    ]
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(report()) + "\n")
