"""The counter in the browser agrees with ``segments.py``, to the character."""

from __future__ import annotations

import pytest

from django_mobilon_sms.admin.compose.segment_counter import TABLES
from django_mobilon_sms.segments import PLAIN_FORMS, count_segments, plain_forms
from tests.public.test_segments import CASES
from tests.support.admin_door import ADD, person

COUNT = "([texts, tables]) => texts.map(text => mobilonSms.countSegments(text, tables))"
PLAIN = "([text, tables]) => mobilonSms.plainForms(text, tables)"


@pytest.fixture
def page(visit):
    return visit(person("add_smsmessage"), ADD)


def test_table_is_counted_as_the_table_says(page):
    texts = ["".join(piece * times for piece, times in case["pieces"]) for case in CASES]
    counted = page.evaluate(COUNT, [texts, TABLES])
    assert counted == [
        {
            "alphabet": case["alphabet"],
            "count": case["count"],
            "units": case["units"],
            "remaining": case["remaining"],
            "ucs2Characters": case["ucs2_characters"],
        }
        for case in CASES
    ]


def test_plain_forms_are_those_of_the_app(page):
    text = "a" + "".join(PLAIN_FORMS) + "я😀"
    assert page.evaluate(PLAIN, [text, TABLES]) == plain_forms(text)
    assert page.evaluate(COUNT, [[plain_forms("".join(PLAIN_FORMS))], TABLES])[0]["alphabet"] == (
        "GSM-7"
    )


@pytest.mark.parametrize(
    ("text", "segments", "remaining"),
    [("", "0", "160"), ("a" * 153 + "€" * 5, "2", "143"), ("Ж" * 70, "1", "0")],
)
def test_panel_shows_what_is_typed(page, text, segments, remaining):
    page.fill("[name=text]", text)
    assert page.read("[data-count=segments]") == segments
    assert page.read("[data-count=remaining]") == remaining
    assert count_segments(text).count == int(segments)


def test_typography_is_shown_and_replaced_with_one_click(page):
    page.fill("[name=text]", "Order «7» — ready…\u00a0№ 5")
    assert page.read("[data-count=alphabet]") == "UCS-2: any letters"
    assert page.read("[data-count=replaceable]") == "« » — … ␣ №"
    page.click("text=Replace with plain characters")
    assert page.input_value("[name=text]") == 'Order "7" - ready... N 5'
    assert page.read("[data-count=alphabet]") == "GSM-7: Latin letters"
    assert page.is_hidden("text=Replace with plain characters")


def test_letters_of_another_alphabet_are_shown_without_a_button(page):
    page.fill("[name=text]", "Ваш заказ готов")
    assert page.read("[data-count=characters]") == "В а ш з к г о т в"
    assert page.is_hidden("text=Replace with plain characters")


def test_text_that_is_too_long_is_marked(page, settings):
    page.fill("[name=text]", "я" * 670)
    assert page.is_hidden("text=more than the 10 allowed")
    page.fill("[name=text]", "я" * 671)
    assert page.is_visible("text=more than the 10 allowed")
