"""The columns of a list, found in its first row."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from django_mobilon_sms.mailings import columns
from django_mobilon_sms.mailings.placeholders import Template


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
    assert Template(text, found).fill(["Анна", "89135292926", "заказ 5"]) == "Анна: заказ 5"


@pytest.mark.parametrize("first", [["Имя", "Почта"], ["", "abc"], ["12"]])
def test_list_without_numbers_is_refused(first):
    with pytest.raises(ValidationError) as error:
        columns.find(first)
    assert error.value.code == "no_numbers"
