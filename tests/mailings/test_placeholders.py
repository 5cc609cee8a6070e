"""Placeholders in the text of a mailing, checked and replaced."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from django_mobilon_sms.mailings import columns
from django_mobilon_sms.mailings.placeholders import Template

FOUND = columns.find(["Телефон", "ФИО", "Данные", "Номер заказа", "Счёт"])
CELLS = ["89135292926", "Анна", "к 5 мая", "17", ""]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Просто текст", "Просто текст"),
        ("{{NAME}}", "Анна"),
        ("{{ name }}", "Анна"),
        ("{{Имя}}, {{ДАННЫЕ}}: {{DATA}}", "Анна, к 5 мая: к 5 мая"),
        ("{{NАМЕ}}", "Анна"),  # three of its letters are Cyrillic
        ("№ {{номер заказа}}", "№ 17"),
        ("{{Счет|без счёта}}", "без счёта"),
        ("{{Счёт|}}.", "."),
        ("{{NAME|друг}}", "Анна"),
        ("{x} {{телефон}}", "{x} 89135292926"),
    ],
)
def test_placeholders_are_replaced_by_the_cells_of_the_row(text, filled):
    assert Template(text, FOUND).fill(CELLS) == filled


def test_placeholder_in_a_cell_is_not_replaced():
    assert Template("{{NAME}}", FOUND).fill(["8913", "{{DATA}}", "x"]) == "{{DATA}}"


@pytest.mark.parametrize("cells", [CELLS, CELLS[:2]])
def test_empty_cell_without_a_substitute_is_an_error_with_the_way_out(cells):
    with pytest.raises(ValidationError) as error:
        Template("{{Счёт}}", FOUND).fill(cells)
    assert error.value.messages == [
        "The column “Счёт” is empty here. Fill it in, or give a substitute in the text: {{Счёт|…}}."
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{CITY}}", "no_column"),
        ("{{NAME}", "braces"),
        ("NAME}}", "braces"),
        ("{{}}", "braces"),
        ("{{ }}", "braces"),
        ("{{|x}}", "braces"),
        ("{{NAME", "braces"),
    ],
)
def test_malformed_placeholder_and_unknown_column_are_refused(text, code):
    with pytest.raises(ValidationError) as error:
        Template(text, FOUND)
    assert error.value.code == code


@pytest.mark.parametrize("hostile", ["{{" + " " * 100_000, "{{" * 50_000, "{{ a" * 25_000])
def test_time_is_linear_in_the_length_of_the_text(settings, hostile):
    """In cubic time, each of these would take days: the test would not end."""
    settings.MOBILON_SMS_MAX_SEGMENTS = 10**6  # so that the length alone does not refuse it
    with pytest.raises(ValidationError) as error:
        Template(hostile, FOUND)
    assert error.value.code == "braces"


def test_text_that_no_setting_allows_is_neither_split_nor_filled(settings):
    settings.MOBILON_SMS_MAX_SEGMENTS = 2
    with pytest.raises(ValidationError) as error:
        Template("a" * 613, FOUND)
    assert error.value.messages == ["The text is longer than 612 characters. Shorten it."]
    template = Template("{{NAME}}" * 70, FOUND)
    assert template.fill(["", "Анна"]) == "Анна" * 70
    with pytest.raises(ValidationError) as error:
        template.fill(["", "Анастасия"])
    assert error.value.messages == ["The text is longer than 306 characters. Shorten it."]
