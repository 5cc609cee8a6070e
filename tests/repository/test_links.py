"""The link checker of the built site, which ``make docs`` runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.repository.links import dead_links, is_well_formed
from tests.support.documents import ROOT

SITE = {
    "index.html": """
        <a href="guide/first.html">page</a> <a href="guide/first.html#steps">anchor</a>
        <a href="#here">own anchor</a> <h2 id="here">Here</h2> <a href="guide/">folder</a>
        <img src="image.png?v=1"> <a href="https://example.com/x">outside</a>
        <a href="guide/gone.html">no page</a> <a href="guide/first.html#gone">no anchor</a>
        <img src="gone.png"> <a href="#gone">no own anchor</a> <a href="http://example.com/">plain</a>
    """,
    "guide/first.html": '<h2 id="steps">Steps</h2> <a href="../index.html#here">back</a>',
    "guide/index.html": '<img src="../image.png">',
    "image.png": "",
    "llms.txt": "- [Guide](guide/index.html)\n- [Gone](guide/gone.md)\n",
    "guide/index.md": "![](../image.png) [here](#x) [out](https://x.example/) ![](image.png) []()",
}


def test_dead_links_of_a_site_are_found(tmp_path):
    for name, text in SITE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    dead = ["guide/gone.html", "guide/first.html#gone", "gone.png", "#gone", "http://example.com/"]
    assert dead_links(tmp_path) == [
        "llms.txt: guide/gone.md",
        "guide/index.md: image.png",
        "guide/index.md: ",
        *(f"index.html: {link}" for link in dead),
    ]
    command = [sys.executable, "-m", "tests.repository.links", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr.splitlines()) == (1, dead_links(tmp_path))


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://docs.djangoproject.com/", True),
        ("mailto:security@example.com", True),
        ("mailto:", False),
        ("https://localhost", False),
        ("https:///page", False),
        ("htps://example.com/", False),
        ("ftp://example.com/", False),
    ],
)
def test_addresses_outside_are_read_but_not_fetched(link, expected):
    assert is_well_formed(link) is expected
