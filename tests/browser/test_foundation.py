"""The watch itself: a page with an error, a broken policy or a barrier is caught."""

from __future__ import annotations

import pytest

from tests.browser.conftest import LOOKS
from tests.support.admin_door import EVERYTHING, LIST, person


@pytest.fixture
def page(visit):
    """An empty list, whose console is left clean at the end by the test."""
    return visit(person(*EVERYTHING), LIST)


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        ("console.error('it broke')", "it broke"),
        ("setTimeout(() => { throw new Error('thrown') })", "thrown"),
        ("document.body.append(Object.assign(document.createElement('img'), {src: '/no.png'}))",
         "404"),
        ("document.body.setAttribute('onclick', '1'); document.body.click()", "Security Policy"),
    ],
    ids=["console", "exception", "missing file", "inline script"],
)  # fmt: skip
def test_trouble_of_a_page_is_heard(page, script, trouble):
    assert page.troubles == []
    page.evaluate(f"() => {{ {script} }}")
    while not any(trouble in heard for heard in page.troubles):  # the test's own timeout ends it
        page.wait_for_timeout(50)
    page.wait_for_timeout(50)  # some trouble is heard twice
    page.troubles.clear()


def test_barrier_is_found(page):
    assert page.violations() == []
    page.evaluate("document.querySelector('#content').innerHTML = '<input>'")
    assert [found.partition(":")[0] for found in page.violations()] == ["label"]


def test_page_speaks_the_language_and_has_the_theme_and_width_of_the_look(visit, look):
    page = visit(person(*EVERYTHING), LIST, look)
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert {
        "language": page.get_attribute("html", "lang").partition("-")[0],
        "theme": "dark" if dark else "light",
        "width": page.evaluate("innerWidth"),
    } == {
        "language": look.language,
        "theme": look.theme,
        "width": {"wide": 1280, "narrow": 390}[look.width],
    }


def test_looks_hold_each_pair_of_language_theme_and_width():
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert len({(look[one], look[other]) for look in LOOKS}) == 4
