"""The repository tests itself: names, migrations, translations."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

import polib
import pytest
from django.core.management import call_command

from django_mobilon_sms.models import SmsMessage

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "django_mobilon_sms"
RUSSIAN = PACKAGE / "locale/ru/LC_MESSAGES"

MEANINGLESS = {"common", "helpers", "misc", "services", "utils"}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def meaningless(paths: Iterable[Path]) -> list[str]:
    return [path.name for path in paths if MEANINGLESS & {path.stem, *path.stem.split("_")}]


def narrow_errors(source: str) -> list[int]:
    """The lines that name ``DatabaseError``, of which ``InterfaceError`` is none in Django."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Name) and node.id == "DatabaseError")
        or (isinstance(node, ast.Attribute) and node.attr == "DatabaseError")
        or (isinstance(node, ast.ImportFrom) and "DatabaseError" in {n.name for n in node.names})
    ]


def unfinished(catalogue: polib.POFile) -> list[str]:
    """Strings that a person would see in English, or in a guess."""
    return [e.msgid for e in catalogue if not e.obsolete and (e.fuzzy or not e.translated())]


def content(catalogue: polib.POFile | polib.MOFile) -> set[tuple[object, ...]]:
    return {
        (entry.msgctxt, entry.msgid, entry.msgstr, *sorted(entry.msgstr_plural.items()))
        for entry in catalogue
        if not entry.obsolete
    }


def test_no_module_has_a_name_that_says_nothing():
    assert meaningless(modules()) == []
    assert meaningless([Path("rest/utils.py"), Path("admin_helpers.py"), Path("outbox.py")]) == [
        "utils.py",
        "admin_helpers.py",
    ]


def test_no_module_catches_fewer_errors_of_a_database_than_there_are():
    found = {path.name: narrow_errors(path.read_text(encoding="utf-8")) for path in modules()}
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert narrow_errors("try: pass\nexcept DatabaseError: pass") == [2]
    assert narrow_errors("with suppress(db.DatabaseError): pass") == [1]
    assert narrow_errors("from django.db import DatabaseError as Trouble") == [1]
    assert narrow_errors("try: pass\nexcept Error: pass") == []


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
