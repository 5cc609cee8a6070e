"""Long lists in chunks, so that no statement grows beyond what a database takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

#: Rows of one INSERT, and keys of one SELECT or UPDATE.
ROWS_PER_STATEMENT = 1000


def chunked(items: Iterable[T], size: int = ROWS_PER_STATEMENT) -> Iterator[list[T]]:
    """Return the items in lists of at most ``size``."""
    rest = iter(items)
    return iter(lambda: list(islice(rest, size)), [])
