"""The map of the house and the page of the Python API are those of the code."""

from __future__ import annotations

import inspect
import re
from importlib import import_module

import pytest
from django.apps import apps

from tests.repository import imports
from tests.repository.picture import PICTURE, draw, without_implied
from tests.support.documents import DOCS, ROOT, column

ARCHITECTURE = DOCS / "explanation/architecture.rst"
API = DOCS / "reference/python.rst"
PACKAGE = imports.PACKAGE.name


def classes_of(module: str) -> set[str]:
    """Return the classes that a module defines, by their dotted names."""
    found = inspect.getmembers(import_module(module), inspect.isclass)
    return {f"{module}.{name}" for name, cls in found if cls.__module__ == module}


def documented(page: str) -> set[str]:
    """Return what a page documents by autodoc; a whole module counts with its classes."""
    names = set(re.findall(r"^\.\. auto(?:function|class|data):: (\S+)$", page, re.MULTILINE))
    whole = re.findall(r"^\.\. automodule:: (\S+)\n   :members:", page, re.MULTILINE)
    return names | {name for module in whole for name in classes_of(module)}


def public() -> set[str]:
    """Return what a project may import, by its dotted name."""
    names = {f"{PACKAGE}.outbox.{name}" for name in ("send_sms", "send_many", "stop")}
    names |= {f"{PACKAGE}.events.{name}" for name in ("read", "newest")}
    names |= {
        f"{PACKAGE}.models.{m.__name__}" for m in apps.get_app_config("mobilon_sms").get_models()
    }
    for module in ("choices", "exceptions", "testing"):
        names |= {name for name in classes_of(f"{PACKAGE}.{module}") if "._" not in name}
    for module in ("celery", "django_tasks"):
        tasks = ("send", "refresh", "webhooks", "purge", "wake_up")
        names |= {f"{PACKAGE}.contrib.{module}.{name}" for name in tasks}
    names |= {f"{PACKAGE}.signals.status_changed", f"{PACKAGE}.sandbox.Sandbox"}
    names |= {f"{PACKAGE}.operations.{name}" for name in ("observe", "Snapshot")}
    names |= {f"{PACKAGE}.contrib.prometheus.SmsCollector"}
    names |= {f"{PACKAGE}.contrib.health_check.Sending"}
    contract = ("Backend", "Call", "OutgoingMessage", "SendResult", "StatusReport")
    names |= {f"{PACKAGE}.gateway.{name}" for name in contract}
    return names | {
        # What `SmsMessage.objects` and `GatewayState.objects` have; nobody imports these.
        f"{PACKAGE}.models.messages.changes.MessageQuerySet",
        f"{PACKAGE}.models.messages.queries.MessageQueries",
        f"{PACKAGE}.models.pause_and_breaker.StateQuerySet",
        f"{PACKAGE}.phone_numbers.normalize_number",
        f"{PACKAGE}.segments.count_segments",
    }


def test_page_of_the_api_documents_what_is_public_and_nothing_else():
    page = API.read_text(encoding="utf-8")
    assert documented(page) == public()
    assert f"``{PACKAGE}.rest.urls``" in page


@pytest.mark.parametrize("name", sorted(public()))
def test_what_is_public_has_a_docstring(name):
    module, _, attribute = name.rpartition(".")
    thing = getattr(import_module(module), attribute)
    # A task's docstring is its function's; the signal is documented by its comment.
    assert inspect.getdoc(getattr(thing, "func", thing))


def test_picture_is_drawn_from_the_imports():
    assert PICTURE.read_text(encoding="utf-8") == draw(), "python -m tests.repository.picture"


def test_implied_arrows_are_left_out():
    edges = [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"), ("a", "c"), ("e", "d")]
    assert without_implied(edges) == {("a", "b"), ("b", "c"), ("c", "d"), ("e", "d")}


def test_table_of_rooms_names_them_all():
    tops = {name.partition(".")[0] for name in imports.modules()} - {
        "apps",
        "migrations",
        "templatetags",
    }
    named = column(ARCHITECTURE, "rooms-table")
    assert sorted(named) == sorted(tops)


def test_map_names_files_that_exist():
    page = ARCHITECTURE.read_text(encoding="utf-8")
    named = set(re.findall(r"``((?:[a-z_]+/)*[a-z_]+\.(?:py|rst))``", page))
    assert len(named) > 50
    places = (imports.PACKAGE, ROOT)
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


def test_map_answers_twenty_wishes():
    assert len(column(ARCHITECTURE, "wishes-table")) >= 20
