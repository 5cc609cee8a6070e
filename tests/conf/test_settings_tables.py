"""The page of settings lists them as they are declared."""

from __future__ import annotations

from django_mobilon_sms.conf.settings import declared
from tests.support.settings_tables import PAGE, rendered


def test_settings_are_rendered_from_the_declarations():
    text = PAGE.read_text(encoding="utf-8")
    assert text == rendered(), "run: python -m tests.support.settings_tables"


def test_every_setting_stands_in_one_section():
    text = PAGE.read_text(encoding="utf-8")
    for setting in declared():
        assert text.count(f".. confval:: {setting.name}\n") == 1, setting.name
