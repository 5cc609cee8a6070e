"""A page in the browser: its look, its console, and whether everybody can use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from django.test import Client

#: Width and height in CSS pixels: a desk's screen, and a phone's.
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}
#: The impact of axe-core's findings that fail a test.
GRAVE = ("serious", "critical")
#: Findings on Django's own lists: the label of the search box is a picture, and the link to all
#: rows is not underlined.
DJANGOS_OWN = {("label-title-only", "#searchbar"), ("link-in-text-block", 'a[href="?"]')}


class Look(NamedTuple):
    """The language, theme and width of a page."""

    language: str
    theme: str
    width: str


class Page:
    """Playwright's page, which also records every trouble."""

    def __init__(self, context: Any, look: Look) -> None:
        self.context = context
        self.look = look
        self.page = context.new_page()
        self.troubles: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.troubles.append(f"{message.text} {message.location.get('url', '')}".strip())

    def read(self, selector: str) -> str:
        """Return the visible text, on one line."""
        return " ".join(str(self.page.locator(selector).inner_text()).split())

    def reads(self, selector: str) -> list[str]:
        """Return the visible text of each match, on one line."""
        return [" ".join(text.split()) for text in self.page.locator(selector).all_inner_texts()]

    def notices(self) -> list[str]:
        """Return the messages above the page."""
        return self.reads(".messagelist li")

    def violations(self) -> list[str]:
        """Return the barriers for a screen reader, a keyboard or weak eyes that axe-core finds."""
        from axe_playwright_python.sync_playwright import Axe

        with self.unheard():
            found = Axe().run(self.page).response["violations"]
        return [
            f"{barrier['id']}: {barrier['help']} ({place})"
            for barrier in found
            if barrier["impact"] in GRAVE
            for place in (" ".join(node["target"]) for node in barrier["nodes"])
            if (barrier["id"], place) not in DJANGOS_OWN
        ]

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """Ignore troubles that a tool causes, such as the styles of axe-core."""
        heard = len(self.troubles)
        yield
        self.page.evaluate("0")  # what was written into the console has been heard by now
        del self.troubles[heard:]

    def too_wide(self) -> int:
        """Return by how many pixels the page is wider than the screen."""
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(script))

    def picture(self, path: Path, last: str = "") -> None:
        """Save a picture of what is ours on the page, as large as it can be read; of a phone, all.

        ``last`` is the selector of what it ends with. The theme is the light one, to be printed.
        """
        self.page.emulate_media(color_scheme="light")
        path.parent.mkdir(parents=True, exist_ok=True)
        size = SIZES[self.look.width]
        self.page.set_viewport_size(size | {"height": 300})  # the content fills a taller screen
        tall = self.page.evaluate("document.querySelector('#content-start').scrollHeight")
        header = self.page.evaluate("document.querySelector('#header').offsetHeight")
        self.page.set_viewport_size(size | {"height": tall + header + 40})
        narrow = self.look.width == "narrow"
        clip = self.page.locator("#container" if narrow else "#content-start").bounding_box()
        if last:
            end = self.page.locator(last).bounding_box()
            clip["height"] = end["y"] + end["height"] - clip["y"]
        with self.unheard():
            self.page.screenshot(path=path, clip=clip, animations="disabled")


def open_page(browser: Any, url: str, client: Client, look: Look, *, scripts: bool) -> Page:
    """Return an empty page with the login of the client, perhaps without scripts."""
    context = browser.new_context(
        base_url=url,
        java_script_enabled=scripts,
        locale={"en": "en-GB", "ru": "ru-RU"}[look.language],
        color_scheme=look.theme,
        viewport=SIZES[look.width],
        timezone_id="Asia/Krasnoyarsk",
    )
    cookies = [{"name": n, "value": m.value, "url": url} for n, m in client.cookies.items()]
    context.add_cookies(cookies)
    # The browser asks each site for it; whether there is one is the project's affair.
    context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    return Page(context, look)
