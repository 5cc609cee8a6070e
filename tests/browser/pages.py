"""A page in the browser: how it looks, what it wrote into the console, whether all can use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from django.test import Client

#: Width and height in CSS pixels: a desk's screen, and a phone's.
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}
#: What of axe-core's findings fails a test.
GRAVE = ("serious", "critical")
#: What is Django's own, on the lists of every admin: the label of its search box is a picture, and
#: the link to all rows has no line under it.
DJANGOS_OWN = {("label-title-only", "#searchbar"), ("link-in-text-block", 'a[href="?"]')}


class Look(NamedTuple):
    """How a page is looked at."""

    language: str
    theme: str
    width: str


class Page:
    """Playwright's page, which remembers every trouble; what is not here is Playwright's."""

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
        """What a person reads there, on one line."""
        return " ".join(str(self.page.locator(selector).inner_text()).split())

    def reads(self, selector: str) -> list[str]:
        """What a person reads at each of these places."""
        return [" ".join(text.split()) for text in self.page.locator(selector).all_inner_texts()]

    def told(self) -> list[str]:
        """The lines above the page."""
        return self.reads(".messagelist li")

    def violations(self) -> list[str]:
        """What keeps people with a screen reader, a keyboard or weak eyes from using the page."""
        from axe_playwright_python.sync_playwright import Axe

        with self.unheard():
            found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {each['help']} ({place})"
            for each in found
            if each["impact"] in GRAVE
            for place in (" ".join(node["target"]) for node in each["nodes"])
            if (each["id"], place) not in DJANGOS_OWN
        ]

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """What a tool brings into the page, as axe-core its styles, is no trouble of the page."""
        heard = len(self.troubles)
        yield
        self.page.evaluate("0")  # what was written into the console has been heard by now
        del self.troubles[heard:]

    def too_wide(self) -> int:
        """By how many pixels the page is wider than the screen: a person would scroll sideways."""
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(script))

    def picture(self, path: Path) -> None:
        """Write down how the whole page looks, not only what the screen shows of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        size = SIZES[self.look.width]
        tall = self.page.evaluate("document.querySelector('#content-start').scrollHeight")
        header = self.page.evaluate("document.querySelector('#header').offsetHeight")
        self.page.set_viewport_size(size | {"height": tall + header + 40})
        with self.unheard():
            self.page.locator("#container").screenshot(path=path, animations="disabled")


def open_page(browser: Any, url: str, client: Client, look: Look, *, scripts: bool) -> Page:
    """An empty page of the person that the client is logged in as, perhaps without scripts."""
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
