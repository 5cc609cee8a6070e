"""The documents in Russian and in English keep in step; the test names what lags."""

from __future__ import annotations

import pytest
from docutils import nodes

from tests.support.documents import README, blocks, document
from tests.support.russian import lags, name, translations

PAIRS = {page: original for page, original in translations().items() if original.is_file()}
TRANSLATED = [pair for pair in PAIRS.items() if pair[0].is_file()]

#: Their code is that of the English pages, which other tests execute.
EXECUTED = [
    "README.ru.rst",
    "docs/ru/tutorial.rst",
    "docs/ru/howto/containers.rst",
    "docs/ru/howto/cron-and-systemd.rst",
    "docs/ru/howto/metrics.rst",
    "docs/ru/howto/monitoring.rst",
    "docs/ru/howto/privacy.rst",
    "docs/ru/howto/staging.rst",
    "docs/ru/howto/upgrading.rst",
    "docs/ru/howto/watchdog.rst",
]

every_translation = pytest.mark.parametrize(
    ("page", "original"), TRANSLATED, ids=[name(page) for page, _original in TRANSLATED]
)


def test_each_page_is_translated():
    missing = [f"{name(page)}, from {name(o)}" for page, o in PAIRS.items() if not page.is_file()]
    assert not missing, "\n".join(missing)


@every_translation
def test_translation_follows_its_original(page, original):
    lagging = list(lags(page, original))
    assert not lagging, "\n".join(lagging)


@every_translation
def test_code_is_that_of_the_original(page, original):
    assert blocks(page) == blocks(original)


@every_translation
def test_pictures_are_those_of_the_original(page, original):
    def pictures(path):
        found = [node["uri"] for node in document(path).findall(nodes.image)]
        return [uri.rpartition("/")[2].replace("-ru.", "-en.") for uri in found]

    assert pictures(page) == pictures(original)


@every_translation
def test_translation_leads_to_its_original(page, original):
    address = name(original).removeprefix("docs").removesuffix(".rst" * (original != README))
    assert address in page.read_text(encoding="utf-8")
