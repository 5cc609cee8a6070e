"""The handbook on paper: the card fits one side of A4, and no table is cut off."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import DOCS

#: A4 without the margins of print.css, in CSS pixels.
PAPER = {"width": 703, "height": 1032}
WIDER = """() => [...document.querySelectorAll("article table, article img, article p")]
    .some(part => part.getBoundingClientRect().right > innerWidth + 1)"""
OPTIONS = {
    "html_theme": "furo",
    "html_static_path": str(DOCS / "_static"),
    "html_css_files": "print.css",
}


@pytest.fixture(scope="module", params=["ru/handbook", "handbook"])
def site(request, tmp_path_factory) -> Path:
    """The pages as Sphinx renders them, in Russian and in English."""
    pytest.importorskip("furo", reason="make docs installs it")
    built = tmp_path_factory.mktemp("site")
    options = [part for name, value in OPTIONS.items() for part in ("-D", f"{name}={value}")]
    command = [sys.executable, "-m", "sphinx", "-C", "-Q", *options]
    subprocess.run([*command, str(DOCS / request.param), str(built)], check=True)
    return built


def test_card_fits_one_side(browser, site):
    page = browser.new_page()
    page.goto((site / "card.html").as_uri())
    printed = page.pdf(prefer_css_page_size=True)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1


def test_nothing_is_wider_than_the_paper(browser, site):
    page = browser.new_page(viewport=PAPER)
    page.emulate_media(media="print")
    cut = []
    for path in sorted(site.glob("*.html")):
        page.goto(path.as_uri())
        cut += [path.name] * page.evaluate(WIDER)
    page.close()
    assert cut == []
