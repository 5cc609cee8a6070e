"""Notes that the processes of a storm leave in its folder: a word a line, to be counted."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path


def folder() -> Path:
    """Where the storm and its processes leave notes for each other."""
    return Path(os.environ["CHAOS_FOLDER"])


def note(word: str) -> None:
    """Add a word, such as ``fault``: one of the cell's faults has struck."""
    with (folder() / "notes").open("a") as notes:
        notes.write(f"{word}\n")


def counted(place: Path) -> Counter[str]:
    """Return how often each word was noted in this folder."""
    notes = place / "notes"
    return Counter(notes.read_text().split() if notes.exists() else [])
