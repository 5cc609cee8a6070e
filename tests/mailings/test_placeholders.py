"""Placeholders in the text of a mailing, checked and replaced."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from django_mobilon_sms.mailings import columns, placeholders

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
    placeholders.check(text, FOUND)
    assert placeholders.fill(text, FOUND, CELLS) == filled


def test_placeholder_in_a_cell_is_not_replaced():
    assert placeholders.fill("{{NAME}}", FOUND, ["8913", "{{DATA}}", "x"]) == "{{DATA}}"


@pytest.mark.parametrize("cells", [CELLS, CELLS[:2]])
def test_empty_cell_without_a_substitute_is_an_error_with_the_way_out(cells):
    with pytest.raises(ValidationError) as error:
        placeholders.fill("{{Счёт}}", FOUND, cells)
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
        ("{{NAME", "braces"),
    ],
)
def test_malformed_placeholder_and_unknown_column_are_refused(text, code):
    with pytest.raises(ValidationError) as error:
        placeholders.check(text, FOUND)
    assert error.value.code == code
