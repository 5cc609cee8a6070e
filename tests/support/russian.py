"""Which sections of which page each translation was written from.

A translation begins with a comment that holds a digest of each section of its original.
``python -m tests.support.russian docs/handbook/card.rst ...`` renews them, after these pages were
brought up to date; without names, those of all pages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from tests.support.documents import DOCS, README, ROOT

#: The how-to guides that an administrator who reads Russian needs.
HOWTO = (
    "cron-and-systemd",
    "containers",
    "monitoring",
    "metrics",
    "watchdog",
    "privacy",
    "upgrading",
    "staging",
)
TITLE = re.compile(r"^(\S.*)\n([=~\-^])\2{2,}\n", re.MULTILINE)
COMMENT = re.compile(r"\A\.\. Written from .*\n\n(?:   .*\n)+\n")
ENTRY = re.compile(r"^   ([0-9a-f]{8})  (.*)$", re.MULTILINE)


def translations() -> dict[Path, Path]:
    """Return the original of each translation: the handbook is Russian first, the rest English."""
    english = {
        ROOT / "README.ru.rst": README,
        **{
            DOCS / "ru" / name: DOCS / name
            for name in ["tutorial.rst", *map("howto/{}.rst".format, HOWTO)]
        },
    }
    handbook = sorted((DOCS / "ru/handbook").glob("*.rst"))
    return {DOCS / "handbook" / page.name: page for page in handbook} | english


def sections(page: Path) -> dict[str, str]:
    """Return a digest of each section by its title, without the sections inside it."""
    parts = TITLE.split(page.read_text(encoding="utf-8"))[1:]
    titles, texts = parts[::3], parts[2::3]
    return {
        title: sha256(f"{title}\n{text.strip()}".encode()).hexdigest()[:8]
        for title, text in zip(titles, texts, strict=True)
    }


def lags(translation: Path, original: Path) -> Iterator[str]:
    """Yield what has changed in the original since it was translated."""
    comment = COMMENT.match(translation.read_text(encoding="utf-8"))
    kept = {title: digest for digest, title in ENTRY.findall(comment[0] if comment else "")}
    now = sections(original)
    for title in {**kept, **now}:
        if kept.get(title) != now.get(title):
            fault = "is new" if title not in kept else "has changed" if title in now else "is gone"
            yield f"{name(original)}: “{title}” {fault}; bring {name(translation)} up to date"


def renew(translation: Path, original: Path) -> None:
    """Write the digests of the original into the translation."""
    entries = "".join(f"   {digest}  {title}\n" for title, digest in sections(original).items())
    comment = f".. Written from {name(original)}, these sections of it:\n\n{entries}\n"
    text = COMMENT.sub("", translation.read_text(encoding="utf-8"))
    translation.write_text(comment + text, encoding="utf-8")


def name(page: Path) -> str:
    """Return the path of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    chosen = {Path(argument).resolve() for argument in sys.argv[1:]}
    for translation, original in translations().items():
        if translation.is_file() and (not chosen or translation in chosen):
            renew(translation, original)
