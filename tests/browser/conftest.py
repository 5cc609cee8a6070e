"""A real Chromium in the admin, on Django's live server, with a watched console."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.test import Client

from tests.browser.pages import Look, Page, open_page

#: Where to find a browser: by name on PATH.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Each language, theme and width with each other, in four looks.
LOOKS = [
    Look("en", "light", "wide"),
    Look("ru", "dark", "wide"),
    Look("ru", "light", "narrow"),
    Look("en", "dark", "narrow"),
]
#: Where pictures go; none are taken without it.
PICTURES = os.environ.get("SCREENSHOTS", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Commit the data of each test, because a thread serves the pages."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.django_db(transaction=True))


def no_browser(reason: str) -> NoReturn:
    """Skip with the reason, or fail if BROWSER_REQUIRED is set."""
    if os.environ.get("BROWSER_REQUIRED"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium, started once, and stopped before any other test of this process.

    Playwright keeps an event loop in this thread, where Django would then refuse the database.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        no_browser("Playwright is not installed: make browser installs it.")
    found = os.environ.get("BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        no_browser(f"No browser is found ({', '.join(BROWSERS)}): install one, or name it BROWSER.")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        chromium = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(params=LOOKS, ids="-".join)
def look(request: pytest.FixtureRequest) -> Look:
    """The language, theme and width of the page: a test that takes it runs in each of the four."""
    chosen: Look = request.param
    return chosen


@pytest.fixture
def visit(browser: Any, live_server: Any) -> Iterator[Callable[..., Page]]:
    """Open pages as a logged in client: ``visit(client, "/admin/", look)``.

    Fail if a page logged an error into the console, raised one, or missed a file.
    """
    with ExitStack() as stack:
        pages: list[Page] = []

        def visit(
            client: Client, address: str, look: Look = LOOKS[0], *, scripts: bool = True
        ) -> Page:
            page = open_page(browser, live_server.url, client, look, scripts=scripts)
            stack.callback(page.context.close)
            pages.append(page)
            page.goto(address)
            return page

        yield visit
        assert [trouble for page in pages for trouble in page.troubles] == []


@pytest.fixture
def picture() -> Callable[..., None]:
    """Take a picture of a screen for the docs, ``writing-ru.png``, if SCREENSHOTS is set.

    With ``phone``, also take one of a phone, ``writing-phone-ru.png``. ``last`` is the selector of
    what the picture ends with, if not with the page.
    """

    def picture(page: Page, name: str, *, phone: bool = False, last: str = "") -> None:
        narrow = page.look.width == "narrow"
        if PICTURES and (phone or not narrow):
            kind = "-phone" if narrow else ""
            page.picture(Path(PICTURES) / f"{name}{kind}-{page.look.language}.png", last)

    return picture
