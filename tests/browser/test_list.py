"""The list of messages fits the screen: of a desk in whole, of a phone as cards."""

from __future__ import annotations

import pytest

from tests.browser.desk import day_at_the_desk
from tests.browser.pages import Look
from tests.support.admin_door import EVERYTHING, LIST, person

#: The cells whose contents reach out of them or out of the screen, or end in CSS's ellipsis.
CUT = """() => [...document.querySelectorAll("#result_list :is(th, td), #result_list")]
  .filter(cell => cell.offsetParent)
  .filter(cell => cell.scrollWidth > Math.ceil(cell.getBoundingClientRect().width)
    || cell.getBoundingClientRect().right > innerWidth
    || [cell, ...cell.querySelectorAll("*")]
      .some(part => getComputedStyle(part).textOverflow == "ellipsis")
    || cell.closest(".results").scrollWidth > cell.closest(".results").clientWidth)
  .map(cell => cell.className || cell.tagName)"""
#: The rows that end above the bottom of the screen.
WHOLE_ROWS = """() => [...document.querySelectorAll("#result_list tbody tr")]
  .filter(row => row.getBoundingClientRect().bottom <= innerHeight).length"""


@pytest.fixture
def desk(visit):
    """Open the list of a full desk in a look, on a screen of a size."""

    def desk(look, width, height, query=""):
        day_at_the_desk()
        page = visit(person(*EVERYTHING), LIST, look)
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{LIST}{query}")
        return page

    return desk


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize(("width", "height", "rows"), [(1280, 900, 15), (1366, 768, 11)])
def test_screen_of_a_desk_shows_whole_rows(desk, language, width, height, rows):
    page = desk(Look(language, "light", "wide"), width, height)
    assert page.evaluate(CUT) == []
    assert page.evaluate(WHOLE_ROWS) >= rows


@pytest.mark.parametrize("language", ["en", "ru"])
def test_phone_shows_each_message_as_a_card(desk, language):
    page = desk(Look(language, "light", "narrow"), 390, 844)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CUT) == []
    card = page.locator("#result_list tbody tr").last
    assert all(card.locator(f".field-{name}").is_visible() for name in ("recipient", "beginning"))


def test_filters_unfold_without_scripts(visit):
    day_at_the_desk()
    page = visit(person(*EVERYTHING), LIST, scripts=False)
    failed = page.locator("#changelist-filter a[href='?status__exact=failed']")
    assert not failed.is_visible()
    page.click(".mobilon-sms-filters > details > summary")
    failed.click()
    assert page.reads(".mobilon-sms-chosen") == ["status: failed"]
    assert page.locator("#result_list tbody tr").count() == 2
