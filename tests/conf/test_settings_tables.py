"""The documents list the settings as they are declared."""

from __future__ import annotations

import pytest

from tests.support.settings_tables import BEGIN, END, TABLES, rendered


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_table_is_rendered_from_the_declarations(path):
    text = path.read_text(encoding="utf-8")
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    assert text == rendered(path), "run: python -m tests.support.settings_tables"
