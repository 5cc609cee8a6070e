"""Which column is which, and what a text makes of a row."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from django_mobilon_sms.mailings import columns


@pytest.mark.parametrize(
    ("header", "number"),
    [
        (["Телефон"], 0),
        (["Имя", "ТЕЛЕФОН "], 1),
        (["Номер", "Телефон"], 1),  # the other one numbers the rows
        (["№", "Номер"], 1),
        (["Номер заказа", "Мобильный телефон клиента"], 1),
        (["name", "Phone number"], 1),
        (["Name", "E-mail", "Customer phone"], 2),
        (["msisdn", "text"], 0),
        (["Тел.", "Имя"], 0),
    ],
)
def test_column_of_numbers_is_found_by_its_name(header, number):
    found = columns.find(header)
    assert (found.number, found.in_first_row) == (number, True)


def test_list_without_names_begins_with_a_recipient():
    found = columns.find(["Анна", "8 913 529-29-26", "заказ 5"])
    assert (found.number, found.in_first_row) == (1, False)
    text = "{{NAME}}: {{ДАННЫЕ}}"
    assert found.text(text, ["Анна", "89135292926", "заказ 5"]) == "Анна: заказ 5"


@pytest.mark.parametrize("first", [["Имя", "Почта"], ["", "abc"], ["12"]])
def test_list_without_numbers_is_refused(first):
    with pytest.raises(ValidationError) as error:
        columns.find(first)
    assert error.value.code == "no_numbers"


FOUND = columns.find(["Телефон", "ФИО", "Данные", "Номер заказа", "Счёт"])
CELLS = ["89135292926", "Анна", "к 5 мая", "17", ""]


@pytest.mark.parametrize(
    ("text", "made"),
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
def test_text_takes_what_the_row_has(text, made):
    FOUND.check(text)
    assert FOUND.text(text, CELLS) == made


def test_value_is_not_read_as_a_text_of_its_own():
    assert FOUND.text("{{NAME}}", ["8913", "{{DATA}}", "x"]) == "{{DATA}}"


@pytest.mark.parametrize("cells", [CELLS, CELLS[:2]])
def test_empty_cell_is_told_with_the_way_out(cells):
    with pytest.raises(ValidationError) as error:
        FOUND.text("{{Счёт}}", cells)
    assert error.value.messages == [
        "The column “Счёт” is empty here. Fill it in, or say in the text what stands for it:"
        " {{Счёт|…}}."
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
def test_text_that_names_what_is_not_there_is_refused(text, code):
    with pytest.raises(ValidationError) as error:
        FOUND.check(text)
    assert error.value.code == code
