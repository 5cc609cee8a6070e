"""Dead links of a built site: ``python -m tests.repository.links FOLDER``.

Pages, anchors and images inside the site must exist, and so must the copies that llms.txt lists and
what these lead to.
Other addresses are only read, because nothing is fetched: they must be absolute and use HTTPS.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Attributes whose value is an address.
ADDRESSES = {"href", "src"}


class Page(HTMLParser):
    """The addresses that a page names, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ADDRESSES and value is not None:
                self.links.append(value)
            elif name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")


page = cache(Page)


def is_well_formed(link: str) -> bool:
    """Return whether an address outside of the site can lead anywhere."""
    parts = urlsplit(link)
    if parts.scheme in {"mailto", "data"}:
        return bool(parts.path)
    if parts.hostname == "127.0.0.1":  # the reader's own server
        return parts.scheme == "http"
    return parts.scheme == "https" and "." in parts.netloc and " " not in link


def leads_somewhere(link: str, path: Path) -> bool:
    """Return whether a link on the page `path` finds its target."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return is_well_formed(link)
    target = path.parent / unquote(parts.path) if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return False
    return target.suffix != ".html" or unquote(parts.fragment) in page(target).anchors


def dead_copies(root: Path) -> list[str]:
    """Return the links of llms.txt and of the Markdown copies that have no file."""
    return [
        f"{path.relative_to(root)}: {link}"
        for path in [*root.glob("llms.txt"), *sorted(root.rglob("*.md"))]
        for link in re.findall(r"\]\(([^)\s]*)\)", path.read_text(encoding="utf-8"))
        if not link.startswith("#") and not urlsplit(link).scheme
        if not (path.parent / urlsplit(link).path).is_file()
    ]


def dead_links(root: Path) -> list[str]:
    """Return the dead links of a site, each after the page that has it."""
    return dead_copies(root) + [
        f"{path.relative_to(root)}: {link}"
        for path in sorted(root.rglob("*.html"))
        for link in dict.fromkeys(page(path).links)
        if not leads_somewhere(link, path)
    ]


if __name__ == "__main__":
    sys.exit("\n".join(dead_links(Path(sys.argv[1]))) or 0)
