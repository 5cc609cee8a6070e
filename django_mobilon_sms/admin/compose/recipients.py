"""Recipients as people paste them: one field with many numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from ...conf import conf
from ...phone_numbers import normalize_number

#: Recipients of one form. A mailing takes more.
MAX_RECIPIENTS = 1000

# A comma before digits and an exponent belongs to a number that a spreadsheet has damaged.
_SEPARATOR = re.compile(r"[\r\n;\t]|,(?![0-9]+[eEеЕ]\+)")


class InvalidEntry(NamedTuple):
    """An entry that is not a number we send to, and the reason."""

    typed: str
    reason: str


@dataclass(frozen=True)
class Recipients:
    """The entries of a field: distinct numbers in E.164 in their order, and invalid entries."""

    numbers: tuple[str, ...] = ()
    duplicates: int = 0
    invalid: tuple[InvalidEntry, ...] = ()


@sensitive_variables()
def read(typed: str) -> Recipients:
    """Return the recipients of a field, separated by lines, commas, semicolons or tabs."""
    numbers: list[str] = []
    invalid: dict[str, InvalidEntry] = {}
    for entry in _entries(typed):
        try:
            numbers.append(_normalize(entry))
        except ValidationError as error:
            invalid[entry] = InvalidEntry(entry, error.messages[0])
    distinct = tuple(dict.fromkeys(numbers))
    return Recipients(distinct, len(numbers) - len(distinct), tuple(invalid.values()))


@sensitive_variables()
def remove(typed: str, entry: str) -> str:
    """Return the field without this entry, one entry a line. "" removes all invalid entries."""
    unwanted = {entry} if entry else {invalid.typed for invalid in read(typed).invalid}
    return "\n".join(kept for kept in _entries(typed) if kept not in unwanted)


def _entries(typed: str) -> Iterator[str]:
    for entry in filter(None, (part.strip() for part in _SEPARATOR.split(typed))):
        words = entry.split()
        if len(words) > 1 and all(map(_is_number, words)):
            yield from words
        else:
            yield entry


def _is_number(typed: str) -> bool:
    try:
        return bool(_normalize(typed))
    except ValidationError:
        return False


def _normalize(typed: str) -> str:
    return normalize_number(typed, allowed=conf.NUMBER_PATTERN)
