"""The floors of the house: imports point down, rooms are entered through their door."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository import imports
from tests.repository.imports import FLOORS, PACKAGE

KNOWN = imports.modules()
FOUND = list(imports.imports(KNOWN))

#: Who alone may import what, by top room.
RESERVED = {
    "requests": {"gateway", "webhooks"},
    "urllib3": {"gateway"},
    "rest_framework": {"rest"},
    "drf_spectacular": {"rest"},
    "celery": {"contrib"},
    "django_tasks": {"contrib"},
    # The database and the models: AUTH_USER_MODEL only.
    "django.conf": {"conf", "database", "models", "migrations"},
    "environ": set(),
}
#: Rooms and modules that know no Django.
NO_DJANGO = ("exceptions", "gateway", "sandbox", "segments", "worker.request_threads")
#: Rooms entered from outside by Django or the project, each by a module of its own.
WITHOUT_DOOR = ("admin", "contrib", "management", "migrations", "rest")
#: Imports inside a function, by module and what is imported, each with its reason.
INSIDE_FUNCTIONS = {
    ("apps", "conf"): "checks register by being imported, once the apps are loaded",
    ("gateway", "client"): "a process that only writes must not wait for requests",
    ("webhooks.delivery", "http_post"): "a process that only writes must not wait for requests",
    ("webhooks.signed_request", "standardwebhooks.webhooks"): "an extra",
    ("templatetags.mobilon_sms_admin", "admin"): "a project may have templates and no admin",
    (
        "templatetags.mobilon_sms_admin",
        "admin.actions",
    ): "a project may have templates and no admin",
    ("phone_numbers", "phonenumbers"): "takes a tenth of a second, and few numbers need it",
    ("mailings.spreadsheets", "openpyxl"): "an extra",
    ("admin.spreadsheet_files", "openpyxl"): "an extra",
    ("admin.spreadsheet_files", "openpyxl.cell"): "an extra",
}
#: Exceptions from "an ``__init__.py`` defines nothing", with the reason.
DEFINING = {"gateway": "its __getattr__ imports the client when it is asked for"}
#: Modules at the root: what a project may import.
PUBLIC = {"apps", "choices", "exceptions", "phone_numbers", "segments", "signals", "testing"}


def wrong_doors(found: list[imports.Import]) -> list[str]:
    """Name imports from inside another room that do not go through the room itself."""
    return [
        f"{each.source} imports from {each.through}"
        for each in found
        if "." in each.through
        and each.source.partition(".")[0] != each.through.partition(".")[0]
        and each.through.partition(".")[0] not in WITHOUT_DOOR
    ]


def foreign_faults(module: str, source: str) -> Iterator[str]:
    """Name the imports of other packages that a module must do without."""
    top = module.partition(".")[0]
    for name in foreign(source):
        for reserved, rooms in RESERVED.items():
            if f"{name}.".startswith(f"{reserved}.") and top not in rooms:
                yield f"{module} imports {reserved}"
        if name.startswith("django.") and f"{module}.".startswith(
            tuple(f"{n}." for n in NO_DJANGO)
        ):
            yield f"{module} imports django"
        if top == "sandbox" and name.partition(".")[0] not in sys.stdlib_module_names:
            yield f"{module} imports {name}"


def foreign(source: str) -> Iterator[str]:
    """Return what a source imports of other packages, as ``package.name``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (f"{alias.name}." for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def settings_read(source: str) -> list[str]:
    """Return the project's settings that a source reads, the user model aside."""
    return [
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "settings"
        and node.attr != "AUTH_USER_MODEL"
    ]


def inside_functions(source: str) -> Iterator[str]:
    """Return what a source imports inside functions."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or node.names[0].name


def defining(package: Path) -> list[str]:
    """Return the packages whose ``__init__.py`` does more than import and name exports."""
    return [
        path.parent.name
        for path in package.rglob("__init__.py")
        if not all(map(only_exports, ast.parse(path.read_text()).body))
    ]


def only_exports(node: ast.stmt) -> bool:
    """Whether a statement is an import, a docstring or ``__all__``."""
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) == "__all__"
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Import | ast.ImportFrom) or is_docstring


def faults(module: str, source: str) -> list[str]:
    """Name all that is wrong with the imports of a module."""
    found = list(imports.imports_of(module, source, KNOWN))
    wrong = [f"{each.source} imports {each.target}" for each in imports.upward(found)]
    wrong += wrong_doors(found)
    wrong += foreign_faults(module, source)
    if module.partition(".")[0] != "conf":
        wrong += [f"{module} reads {name}" for name in settings_read(source)]
    return wrong


def test_root_holds_what_is_public():
    at_root = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert at_root == PUBLIC


def test_every_room_has_a_floor_and_every_floor_its_rooms():
    tops = {name.partition(".")[0] for name in KNOWN}
    assert tops == {name for names in FLOORS for name in names}


@pytest.mark.parametrize("module", KNOWN)
def test_imports_point_down_and_go_through_doors(module):
    assert faults(module, KNOWN[module].read_text(encoding="utf-8")) == []


def test_no_modules_import_one_another():
    assert imports.cycles(imports.module_edges(FOUND, KNOWN)) == []


def test_no_rooms_import_one_another():
    tops = {(a.partition(".")[0], b.partition(".")[0]) for a, b in imports.arrows(FOUND, KNOWN)}
    assert imports.cycles(edge for edge in tops if edge[0] != edge[1]) == []


def test_cycle_is_found():
    edges = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "a"), ("f", "g"), ("g", "f")]
    assert sorted(imports.cycles(edges)) == [["a", "b", "c"], ["f", "g"]]


def test_imports_inside_functions_have_a_reason():
    found = {
        (module, name)
        for module, path in KNOWN.items()
        for name in inside_functions(path.read_text(encoding="utf-8"))
    }
    assert found == set(INSIDE_FUNCTIONS)


def test_packages_define_nothing(tmp_path):
    assert defining(PACKAGE) == list(DEFINING)
    texts = {"admin": '"""A room."""\nimport x\n__all__ = ["x"]', "rest": "x = 1", "contrib": ""}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
    assert defining(tmp_path) == ["rest"]


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("conf.settings", "from ..exceptions import GatewayError", []),
        ("conf.settings", "from ..outbox import send_sms", ["conf.settings imports outbox"]),
        (
            "conf.settings",
            "from django_mobilon_sms import outbox",
            ["conf.settings imports outbox"],
        ),
        (
            "conf.settings",
            "import django_mobilon_sms.outbox as o",
            ["conf.settings imports outbox"],
        ),
        ("conf.settings", "def f():\n    from .. import outbox", ["conf.settings imports outbox"]),
        (
            "conf.settings",
            "if TYPE_CHECKING:\n    from ..models import SmsMessage",
            ["conf.settings imports models"],
        ),
        ("conf.settings", "import environ", ["conf.settings imports environ"]),
        ("conf.settings", "x = settings.DEBUG", []),
        ("segments", "from .conf import conf", ["segments imports conf"]),
        ("segments", "from django.db import models", ["segments imports django"]),
        ("gateway.client", "import requests", []),
        ("gateway.client", "from django.db import models", ["gateway.client imports django"]),
        ("gateway.client", "from ..conf import conf", []),
        ("outbox.writing", "from ..conf import conf", []),
        (
            "outbox.writing",
            "from ..conf.settings import conf",
            ["outbox.writing imports from conf.settings"],
        ),
        ("outbox.writing", "from ..limits import pace", []),
        ("outbox.writing", "from ..admin import site", ["outbox.writing imports admin"]),
        (
            "outbox.writing",
            "from rest_framework import views",
            ["outbox.writing imports rest_framework"],
        ),
        (
            "outbox.writing",
            "from django.conf import settings",
            ["outbox.writing imports django.conf"],
        ),
        ("outbox.writing", "from django import conf", ["outbox.writing imports django.conf"]),
        ("outbox.writing", "x = settings.DEBUG", ["outbox.writing reads DEBUG"]),
        (
            "outbox.writing",
            "from ..contrib import celery",
            ["outbox.writing imports contrib.celery"],
        ),
        (
            "models.messages.sms_message",
            "from django.conf import settings\nsettings.AUTH_USER_MODEL",
            [],
        ),
        (
            "models.messages.sms_message",
            "settings.TIME_ZONE",
            ["models.messages.sms_message reads TIME_ZONE"],
        ),
        (
            "migrations.0009_more",
            "from ..models import SmsMessage",
            ["migrations.0009_more imports models"],
        ),
        ("rest.messages.views", "from .. import serializers", []),
        ("rest.messages.views", "from ...outbox import send_sms", []),
        ("rest.messages.views", "from ...admin import site", ["rest.messages.views imports admin"]),
        (
            "rest.messages.views",
            "from ...apps import MobilonSmsConfig",
            ["rest.messages.views imports apps"],
        ),
        (
            "rest.messages.views",
            "import requests.adapters",
            ["rest.messages.views imports requests"],
        ),
        ("admin.stop_list", "from .messages import search", []),
        ("admin.stop_list", "from ..rest import urls", ["admin.stop_list imports rest.urls"]),
        ("contrib.celery", "from . import jobs\nfrom celery import shared_task", []),
        ("contrib.celery", "from ..worker import deliver", []),
        (
            "contrib.jobs",
            "from ..management import commands",
            ["contrib.jobs imports management.commands"],
        ),
        ("signals", "from celery import shared_task", ["signals imports celery"]),
        ("sandbox.gateway", "from .server import Server", []),
        ("sandbox.gateway", "from ..conf import conf", ["sandbox.gateway imports conf"]),
        (
            "sandbox.page",
            "from django.utils import html",
            ["sandbox.page imports django", "sandbox.page imports django.utils.html"],
        ),
    ],
)
def test_wrong_import_is_found(module, source, found):
    assert faults(module, source) == found


def test_arrows_are_printed():
    lines = imports.report()
    assert any(line.startswith("3  outbox") and " models " in line for line in lines)
    assert lines[-2:] == ["cycles 0", "upward 0"]
