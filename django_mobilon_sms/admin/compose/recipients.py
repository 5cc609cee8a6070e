"""Recipients as people paste them: one field with many numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from ...conf import conf
from ...phone_numbers import normalize_number

#: Recipients of one form. A mailing takes more.
MAX_RECIPIENTS = 1000

# A comma before digits and an exponent belongs to a number that a spreadsheet has damaged.
_SEPARATOR = re.compile(r"[\r\n;\t]|,(?![0-9]+[eEеЕ]\+)")


class Fault(NamedTuple):
    """An entry that nothing can be sent to: its place in the field, from 1, and the reason."""

    row: int
    typed: str
    reason: str


@dataclass(frozen=True)
class Recipients:
    """The entries of a field: distinct numbers in E.164 in their order, and invalid entries."""

    numbers: tuple[str, ...] = ()
    duplicates: int = 0
    invalid: tuple[Fault, ...] = ()
    #: The place of each number in the field, from 1.
    rows: Mapping[str, int] = field(default_factory=dict, compare=False)


@sensitive_variables()
def read(typed: str) -> Recipients:
    """Return the recipients of a field, separated by lines, commas, semicolons or tabs."""
    rows: dict[str, int] = {}
    invalid: dict[str, Fault] = {}
    duplicates = 0
    for row, entry in enumerate(_entries(typed), start=1):
        try:
            number = _normalize(entry)
        except ValidationError as error:
            invalid.setdefault(entry, Fault(row, entry, error.messages[0]))
            continue
        duplicates += number in rows
        rows.setdefault(number, row)
    return Recipients(tuple(rows), duplicates, tuple(invalid.values()), rows)


@sensitive_variables()
def remove(typed: str, entries: str) -> str:
    """Return the field without these entries, one entry a line.

    ``entries`` has one entry or number a line; "" stands for all invalid entries.
    """
    unwanted = set(entries.splitlines()) or {invalid.typed for invalid in read(typed).invalid}
    kept = (entry for entry in _entries(typed) if unwanted.isdisjoint({entry, _number(entry)}))
    return "\n".join(kept)


def _entries(typed: str) -> Iterator[str]:
    for entry in filter(None, (part.strip() for part in _SEPARATOR.split(typed))):
        words = entry.split()
        if len(words) > 1 and all(map(_number, words)):
            yield from words
        else:
            yield entry


def _number(typed: str) -> str:
    """Return the number in E.164, or "" if it is none."""
    try:
        return _normalize(typed)
    except ValidationError:
        return ""


def _normalize(typed: str) -> str:
    return normalize_number(typed, allowed=conf.NUMBER_PATTERN)
