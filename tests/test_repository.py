"""The repository tests itself: floors, migrations, translations, empty packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import polib
import pytest
from django.core.management import call_command

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "django_mobilon_sms"

# Imports only go down; of the doors on floor 3 none imports another.
FLOORS = {
    "apps": 4,
    "admin": 3,
    "checks": 3,
    "management": 3,
    "rest": 3,
    "delivery": 2,
    "outbox": 2,
    "proofs": 2,
    "reports": 2,
    "testing": 2,
    "tracking": 2,
    "validation": 2,
    "backends": 1,
    "choices": 1,
    "clock": 1,
    "conf": 1,
    "gateway": 1,
    "migrations": 1,
    "models": 1,
    "patience": 1,
    "querysets": 1,
    "sandbox": 1,
    "sandbox_faults": 1,
    "sandbox_page": 1,
    "sandbox_replies": 1,
    "sandbox_requests": 1,
    "sandbox_server": 1,
    "setting_rules": 1,
    "signals": 1,
    "threads": 1,
    "exceptions": 0,
    "phone_numbers": 0,
    "replies": 0,
    "segments": 0,
}
# Who alone may import what.
RESERVED = {
    "requests": {"gateway"},
    "urllib3": {"gateway"},
    "rest_framework": {"rest"},
    "django.conf": {"conf", "models", "migrations"},
    "environ": set(),
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def imports(source: str, path: Path) -> Iterator[str]:
    """The dotted names that a module imports, its own package's made absolute."""
    package = ["django_mobilon_sms", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *([node.module] if node.module else [])]
            yield from (".".join([*module, name.name]) for name in node.names)


def faults(source: str, path: Path) -> list[str]:
    """What a module imports although it must not."""
    room = room_of(path)
    found = []
    for name in imports(source, path):
        parts = name.split(".")
        if parts[0] == "django_mobilon_sms" and len(parts) > 1:
            other = parts[1]
            door = FLOORS[room] == FLOORS[other] == 3 and room != other
            if FLOORS[other] > FLOORS[room] or door:
                found.append(f"{room} imports {other}")
        found += [
            f"{room} imports {reserved}"
            for reserved, rooms in RESERVED.items()
            if (name + ".").startswith(reserved + ".") and room not in rooms
        ]
    return found


def test_every_module_has_a_floor():
    assert {room_of(path) for path in modules()} == set(FLOORS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_go_down(path):
    # A module is registered with the checks by its import, which is what an AppConfig is for.
    allowed = ["models imports querysets"] if room_of(path) == "models" else []
    assert [fault for fault in faults(path.read_text(), path) if fault not in allowed] == []


@pytest.mark.parametrize(
    ("place", "source", "fault"),
    [
        ("conf.py", "from .models import SmsMessage", None),
        ("conf.py", "from .outbox import send_sms", "conf imports outbox"),
        ("rest/views.py", "from ..admin import site", "rest imports admin"),
        ("rest/views.py", "import requests.adapters", "rest imports requests"),
        ("outbox.py", "from rest_framework import views", "outbox imports rest_framework"),
        ("outbox.py", "from django.conf import settings", "outbox imports django.conf"),
        ("conf.py", "import environ", "conf imports environ"),
    ],
)
def test_wrong_import_is_found(place, source, fault):
    assert faults(source, PACKAGE / place) == ([fault] if fault else [])


def test_no_module_has_a_name_that_says_nothing():
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert names.isdisjoint({"utils", "helpers", "services", "common", "misc"})


def test_packages_are_empty():
    # The admin is found by its package's name, so that one imports its rooms.
    full = [
        p for p in PACKAGE.rglob("__init__.py") if p.stat().st_size and p.parent.name != "admin"
    ]
    assert full == []


@pytest.mark.django_db
def test_migrations_are_complete():
    output = StringIO()
    call_command("makemigrations", "mobilon_sms", "--check", "--dry-run", stdout=output)
    assert "No changes detected" in output.getvalue()


def test_migrations_import_nothing_of_ours():
    for path in (PACKAGE / "migrations").glob("0*.py"):
        assert not [n for n in imports(path.read_text(), path) if n.startswith("django_mobilon")]


def test_russian_is_complete():
    catalogue = polib.pofile(str(PACKAGE / "locale/ru/LC_MESSAGES/django.po"))
    missing = [entry.msgid for entry in catalogue if not entry.translated() or entry.fuzzy]
    assert len(catalogue) > 100
    assert missing == []


def test_compiled_russian_is_that_of_its_source():
    folder = PACKAGE / "locale/ru/LC_MESSAGES"
    source, compiled = (
        polib.pofile(str(folder / "django.po")),
        polib.mofile(str(folder / "django.mo")),
    )
    assert {(e.msgid, e.msgstr, tuple(e.msgstr_plural.values())) for e in source} == {
        (e.msgid, e.msgstr, tuple(e.msgstr_plural.values())) for e in compiled
    }
