"""The repository tests itself: floors, names, migrations, translations."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path

import polib
import pytest
from django.core.management import call_command

from django_mobilon_sms.models import SmsMessage

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "django_mobilon_sms"
RUSSIAN = PACKAGE / "locale/ru/LC_MESSAGES"

# Imports only go down; of the doors, on floor 3, none imports another.
DOORS = 3
FLOORS = {
    "apps": 4,
    "templatetags": 4,
    "admin": 3,
    "contrib": 3,
    "management": 3,
    "rest": 3,
    "limits": 2,
    "mailings": 2,
    "operations": 2,
    "outbox": 2,
    "testing": 2,
    "worker": 2,
    "choices": 1,
    "conf": 1,
    "gateway": 1,
    "migrations": 1,
    "models": 1,
    "sandbox": 1,
    "signals": 1,
    "exceptions": 0,
    "phone_numbers": 0,
    "segments": 0,
}
# Who alone may import what.
RESERVED = {
    "requests": {"gateway"},
    "urllib3": {"gateway"},
    "rest_framework": {"rest"},
    "drf_spectacular": {"rest"},
    "celery": {"contrib"},
    "django_tasks": {"contrib"},
    # The models: AUTH_USER_MODEL only.
    "django.conf": {"conf", "models", "migrations"},
    "environ": set(),
}
KNOW_NO_DJANGO = {"exceptions.py", "segments.py", "worker/request_threads.py"}
MEANINGLESS = {"common", "helpers", "misc", "services", "utils"}


def room_of(path: Path) -> str:
    """The module or package of the app that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imports(tree: ast.AST, path: Path) -> Iterator[tuple[str, ...]]:
    """The names that a module imports, anywhere in it, its own package's made absolute."""
    package = (PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (tuple(name.name.split(".")) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = tuple(node.module.split(".")) if node.module else ()
            yield from ((*base, *module, name.name) for name in node.names)


def own_fault(name: tuple[str, ...], path: Path) -> str:
    """What is wrong with importing this name of the app's own, if anything."""
    room, other, rest = room_of(path), name[1], name[2:]
    if other not in FLOORS or FLOORS[other] > FLOORS[room]:
        return f"{room} imports {other}"
    if room != other and (FLOORS[room] == FLOORS[other] == DOORS or room == "migrations"):
        return f"{room} imports {other}"
    if room != "conf" and (other, *rest[:1]) == ("conf", "settings"):
        return f"{room} imports conf.settings"
    if other == "management" and rest[0] == "commands" and rest[1:2] != (path.stem,):
        return f"{path.stem} imports {rest[1]}"
    if room == "sandbox" != other:
        return f"{room} imports {other}"
    return ""


def foreign_faults(name: tuple[str, ...], path: Path) -> Iterator[str]:
    """What is wrong with importing this name of another package."""
    room = room_of(path)
    for reserved, rooms in RESERVED.items():
        words = tuple(reserved.split("."))
        if name[: len(words)] == words and room not in rooms:
            yield f"{room} imports {reserved}"
    if name[0] == "django" and (
        room == "gateway" or path.relative_to(PACKAGE).as_posix() in KNOW_NO_DJANGO
    ):
        yield f"{room} imports django"
    if name[0] not in sys.stdlib_module_names and room == "sandbox":
        yield f"{room} imports {name[0]}"


def faults(source: str, path: Path) -> list[str]:
    """What a module imports or reads although it must not."""
    tree, found = ast.parse(source), []
    for name in imports(tree, path):
        if name[0] != PACKAGE.name:
            found += foreign_faults(name, path)
        elif len(name) > 1:
            found += filter(None, [own_fault(name, path)])
    if room_of(path) != "conf":
        found += [f"{room_of(path)} reads {name}" for name in settings_read(tree)]
    return found


def settings_read(tree: ast.AST) -> list[str]:
    """The project's settings that are read, the user model aside."""
    return [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "settings"
        and node.attr != "AUTH_USER_MODEL"
    ]


def meaningless(paths: Iterable[Path]) -> list[str]:
    return [path.name for path in paths if MEANINGLESS & {path.stem, *path.stem.split("_")}]


def defining(package: Path) -> list[str]:
    """Packages whose ``__init__.py`` defines something: it may only import and name exports."""
    return [
        path.parent.name
        for path in package.rglob("__init__.py")
        # The gateway's defines the lazy import of ``requests``, and says why.
        if path != package / "gateway/__init__.py"
        and not all(map(only_exports, ast.parse(path.read_text()).body))
    ]


def only_exports(node: ast.stmt) -> bool:
    """Whether a statement is an import, a docstring or ``__all__``."""
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) == "__all__"
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Import | ast.ImportFrom) or is_docstring


def unfinished(catalogue: polib.POFile) -> list[str]:
    """Strings that a person would see in English, or in a guess."""
    return [e.msgid for e in catalogue if not e.obsolete and (e.fuzzy or not e.translated())]


def content(catalogue: polib.POFile | polib.MOFile) -> set[tuple[object, ...]]:
    return {
        (entry.msgctxt, entry.msgid, entry.msgstr, *sorted(entry.msgstr_plural.items()))
        for entry in catalogue
        if not entry.obsolete
    }


def test_every_module_has_a_floor():
    assert {room_of(path) for path in modules()} - set(FLOORS) == set()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_go_down(path):
    assert faults(path.read_text(), path) == []


@pytest.mark.parametrize(
    ("place", "source", "found"),
    [
        ("conf.py", "from .models import SmsMessage", []),
        ("conf.py", "from .outbox import send_sms", ["conf imports outbox"]),
        ("conf.py", "from django_mobilon_sms import outbox", ["conf imports outbox"]),
        ("conf.py", "import django_mobilon_sms.outbox as o", ["conf imports outbox"]),
        ("conf.py", "def f():\n    from . import outbox", ["conf imports outbox"]),
        ("conf.py", "from . import no_such", ["conf imports no_such"]),
        ("conf.py", "import environ", ["conf imports environ"]),
        ("conf.py", "x = settings.DEBUG", []),
        ("segments.py", "from .conf import conf", ["segments imports conf"]),
        ("segments.py", "from django.db import models", ["segments imports django"]),
        ("outbox.py", "from .conf import conf", []),
        ("outbox.py", "from .conf import settings", ["outbox imports conf.settings"]),
        ("outbox.py", "from .admin import site", ["outbox imports admin"]),
        ("outbox.py", "from rest_framework import views", ["outbox imports rest_framework"]),
        ("outbox.py", "from django.conf import settings", ["outbox imports django.conf"]),
        ("outbox.py", "from django import conf", ["outbox imports django.conf"]),
        ("outbox.py", "x = settings.DEBUG", ["outbox reads DEBUG"]),
        ("models.py", "from django.conf import settings\nsettings.AUTH_USER_MODEL", []),
        ("models.py", "settings.TIME_ZONE", ["models reads TIME_ZONE"]),
        ("migrations/0009_more.py", "from ..models import A", ["migrations imports models"]),
        ("rest/views.py", "from . import serializers", []),
        ("rest/views.py", "from ..outbox import send_sms", []),
        ("rest/views.py", "from ..admin import site", ["rest imports admin"]),
        ("rest/views.py", "from ..apps import MobilonSmsConfig", ["rest imports apps"]),
        ("rest/views.py", "import requests.adapters", ["rest imports requests"]),
        ("admin/__init__.py", "from .messages import MessageAdmin", []),
        ("contrib/celery.py", "from . import jobs\nfrom celery import shared_task", []),
        ("contrib/celery.py", "from ..worker import deliver", []),
        ("contrib/jobs.py", "from ..management import commands", ["contrib imports management"]),
        ("outbox.py", "from .contrib import celery", ["outbox imports contrib"]),
        ("waking.py", "from celery import shared_task", ["waking imports celery"]),
        ("admin/__init__.py", "from ..rest import urls", ["admin imports rest"]),
        (
            "management/commands/hold_sms.py",
            "from .send_sms import Command",
            ["hold_sms imports send_sms"],
        ),
        ("sandbox/gateway.py", "from .server import Server", []),
        ("sandbox.py", "from .conf import conf", ["sandbox imports conf"]),
        ("sandbox/page.py", "from django.utils import html", ["sandbox imports django"]),
    ],
)
def test_wrong_import_is_found(place, source, found):
    assert faults(source, PACKAGE / place) == found


def test_no_module_has_a_name_that_says_nothing():
    assert meaningless(modules()) == []
    assert meaningless([Path("rest/utils.py"), Path("admin_helpers.py"), Path("outbox.py")]) == [
        "utils.py",
        "admin_helpers.py",
    ]


def test_packages_define_nothing(tmp_path):
    assert defining(PACKAGE) == []
    texts = {"admin": '"""A room."""\nimport x\n__all__ = ["x"]', "rest": "x = 1", "contrib": ""}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
    assert defining(tmp_path) == ["rest"]


@pytest.mark.django_db
def test_migrations_are_complete(monkeypatch):
    check = ("makemigrations", "mobilon_sms", "--check", "--dry-run")
    call_command(*check, stdout=StringIO())
    monkeypatch.setattr(SmsMessage._meta.get_field("tag"), "max_length", 99)
    with pytest.raises(SystemExit):
        call_command(*check, stdout=StringIO())


def test_russian_is_complete():
    catalogue = polib.pofile(str(RUSSIAN / "django.po"))
    assert len(catalogue) > 100
    assert unfinished(catalogue) == []


def test_unfinished_translation_is_found():
    catalogue = polib.pofile(
        '#, fuzzy\nmsgid "guessed"\nmsgstr "наугад"\n\n'
        'msgid "missing"\nmsgstr ""\n\n'
        'msgid "%(n)s row"\nmsgid_plural "%(n)s rows"\nmsgstr[0] "%(n)s строка"\nmsgstr[1] ""\n\n'
        'msgid "done"\nmsgstr "готово"\n\n'
        '#~ msgid "gone"\n#~ msgstr ""\n'
    )
    assert unfinished(catalogue) == ["guessed", "missing", "%(n)s row"]


def test_compiled_russian_is_that_of_its_source(tmp_path):
    source = polib.pofile(str(RUSSIAN / "django.po"))
    assert content(polib.mofile(str(RUSSIAN / "django.mo"))) == content(source)
    source.save_as_mofile(str(tmp_path / "django.mo"))
    assert content(polib.mofile(str(tmp_path / "django.mo"))) == content(source)
    source[0].msgstr += "!"
    assert content(polib.mofile(str(tmp_path / "django.mo"))) != content(source)
