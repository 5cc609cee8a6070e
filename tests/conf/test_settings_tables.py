"""The documents list the settings as they are declared."""

from __future__ import annotations

import pytest

from django_mobilon_sms.conf.settings import declared
from tests.support.documents import DOCS
from tests.support.settings_tables import RENDERED, rendered


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.name)
def test_settings_are_rendered_from_the_declarations(path):
    text = path.read_text(encoding="utf-8")
    assert text == rendered(path), "run: python -m tests.support.settings_tables"


def test_every_setting_stands_in_one_section():
    text = (DOCS / "reference/settings.rst").read_text(encoding="utf-8")
    for setting in declared():
        assert text.count(f".. confval:: {setting.name}\n") == 1, setting.name
