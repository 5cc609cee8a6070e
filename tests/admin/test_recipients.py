"""Recipients as people paste them."""

from __future__ import annotations

import pytest

from django_mobilon_sms.admin.compose import recipients

A, B = "+79135292926", "+79135292927"


@pytest.mark.parametrize(
    ("typed", "numbers"),
    [
        ("", ()),
        (" \n,;\t ", ()),
        ("8 (913) 529-29-26", (A,)),
        ("8 (913) 529-29-26\n8 913 529 29 27", (A, B)),
        ("89135292926,89135292927", (A, B)),
        ("89135292926; 89135292927;", (A, B)),
        ("89135292926\t89135292927\r\n", (A, B)),
        ("89135292926 89135292927", (A, B)),
        ("+79135292926   9135292927", (A, B)),
    ],
)
def test_numbers_are_separated(typed, numbers):
    assert recipients.read(typed) == recipients.Recipients(numbers)


def test_duplicate_numbers_are_merged_and_counted():
    found = recipients.read("89135292926, +7 913 529-29-26\n9135292926\n89135292927")
    assert found == recipients.Recipients((A, B), duplicates=2)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("abc", "A phone number cannot contain letters. Enter all of its digits."),
        (
            "7,91353E+10",
            "A spreadsheet has turned the number into a decimal. Format the column as text,"
            " then copy the number again.",
        ),
        (
            "8 495 123-45-67",
            "This is a landline. Messages are not sent to landlines. Enter a mobile number.",
        ),
    ],
)
def test_invalid_entry_has_its_reason(typed, reason):
    found = recipients.read(f"{A}\n{typed}\n{typed}")
    assert found == recipients.Recipients((A,), invalid=(recipients.Fault(2, typed, reason),))


def test_invalid_entries_are_removed_one_by_one_or_all_at_once():
    typed = "8 913 529-29-26; abc, 8 495 123-45-67\nabc"
    assert recipients.remove(typed, "abc") == "8 913 529-29-26\n8 495 123-45-67"
    assert recipients.remove(typed, "") == "8 913 529-29-26"
    assert recipients.remove(typed, f"abc\n{A}") == "8 495 123-45-67"
    assert recipients.remove(typed, "x") == "8 913 529-29-26\nabc\n8 495 123-45-67\nabc"
