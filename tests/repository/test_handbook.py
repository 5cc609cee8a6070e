"""The handbook calls everything as the admin does."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.management import _get_all_permissions
from django.utils.translation import override
from django.utils.translation.trans_real import translation
from docutils import nodes

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import SmsMessage
from tests.support.documents import DOCS, column, document
from tests.support.russian import name

RUSSIAN, ENGLISH = DOCS / "ru/handbook", DOCS / "handbook"
QUOTED = {RUSSIAN: re.compile("«(.*?)»"), ENGLISH: re.compile("“(.*?)”")}
PAGES = [page for room in QUOTED for page in sorted(room.glob("*.rst"))]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|…")
STOP_LIST = ["view_stoppednumber", "add_stoppednumber", "delete_stoppednumber"]


def entries(language: str) -> Iterator[str]:
    """Yield each string that the admin shows in this language, from our catalogue or Django's."""
    for key, shown in translation("ru")._catalog.items():
        english = key[0] if isinstance(key, tuple) else key
        yield from [shown] if language == "ru" else [english.rpartition("\x04")[2]]
    if language == "en":  # where a catalogue has no key of its own for it
        yield from plurals()


def plurals() -> Iterator[str]:
    """Yield the English plurals of our own catalogue."""
    path = Path(apps.get_app_config("mobilon_sms").path) / "locale/ru/LC_MESSAGES/django.po"
    text = path.read_text(encoding="utf-8")
    for found in re.finditer(r'^msgid_plural ((?:".*"\n)+)', text, re.MULTILINE):
        yield "".join(re.findall(r'"(.*)"', found[1]))


def filled(entry: str) -> Iterator[str]:
    """Yield a string with each value that the admin fills in, if there are few of them."""
    models = apps.get_app_config("mobilon_sms").get_models()
    values = {
        "%(kind)s": ["CSV", "XLSX"],
        "%(name)s": [str(model._meta.verbose_name) for model in models],
        "%(verbose_name_plural)s": [str(SmsMessage._meta.verbose_name_plural)],
    }
    [found] = [mark for mark in values if mark in entry] or [""]
    yield from (entry.replace(found, value) for value in values.get(found, []))
    yield entry


def plain(label: str) -> str:
    """Return a label as it is compared: any other value is …, the first letter is small."""
    text = PLACEHOLDER.sub("…", " ".join(label.split())).rstrip(".:…").strip()
    return text[:1].lower() + text[1:]


def permission_names() -> dict[str, str]:
    """Return the names of the app's permissions as a page of the admin lists them."""
    models = apps.get_app_config("mobilon_sms").get_models()
    with override(None):
        return dict(named for model in models for named in _get_all_permissions(model._meta))


def quoted(page) -> list[str]:
    """Return what the page quotes of the admin; literals and the names of pages are none."""
    text = document(page).astext()
    return QUOTED[page.parent].findall(text)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_label_is_one_of_the_admin(page):
    language = "ru" if page.parent == RUSSIAN else "en"
    with override(language):
        known = {plain(label) for entry in entries(language) for label in filled(entry)}
    beginnings = [label[:-1] for label in quoted(page) if len(label) > 20 and label.endswith("…")]
    known |= {plain(b) for b in beginnings if any(k.startswith(plain(b)) for k in known)}
    assert [label for label in quoted(page) if plain(label) not in known] == []


@pytest.mark.parametrize(("room", "language"), [(RUSSIAN, "ru"), (ENGLISH, "en")])
def test_statuses_are_those_of_the_code(room, language):
    with override(language):
        labels = [str(status.label) for status in Status]
    quotes = column(room / "finding.rst", f"handbook-statuses-{language}")
    assert [quote[1:-1] for quote in quotes] == labels


def test_russian_table_of_permissions_is_the_english_one():
    marks = {"да": "yes", "одно из": "either"}
    tables = []
    for path in (RUSSIAN / "permissions.csv", DOCS / "reference/permissions.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            [names, *rows] = csv.reader(file)
        tables.append([[marks.get(cell, cell) for cell in row[1:]] for row in rows])
        if path.parent == RUSSIAN:
            shown = names[1:]
    assert tables[0] == tables[1]
    assert shown == [permission_names()[codename] for codename in names[1:]]


@pytest.mark.parametrize(("room", "language"), [(RUSSIAN, "ru"), (ENGLISH, "en")])
def test_permissions_are_named_as_the_admin_names_them(room, language):
    known = {*permission_names().values()}
    literals = document(room / "permissions.rst").findall(nodes.literal)
    named = {node.astext() for node in literals if node.astext().startswith("Can ")}
    assert (named - known, len(named)) == (set(), 10)
    table = column(room / "permissions.rst", f"stop-list-permissions-{language}")
    assert table == STOP_LIST
