"""Recipients as people paste them: one field, many numbers, each with what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from ...conf import conf
from ...phone_numbers import normalize_number

#: Recipients of one form; a list in a file takes more.
MOST = 1000


# A comma between digits and an exponent is what a spreadsheet has made of one number.
_BETWEEN = re.compile(r"[\r\n;\t]|,(?![0-9]+[eEеЕ]\+)")


class Bad(NamedTuple):
    """What was typed for a number, and why it is none."""

    typed: str
    reason: str


@dataclass(frozen=True)
class Recipients:
    """What a field holds: E.164 numbers in their order, each once, and what is no number."""

    numbers: tuple[str, ...] = ()
    duplicates: int = 0
    bad: tuple[Bad, ...] = ()

    @property
    def merged(self) -> str:
        """What is said about numbers that were given more than once."""
        if not self.duplicates:
            return ""
        sentence = ngettext(
            "%(count)s repetition was merged: each number gets one message.",
            "%(count)s repetitions were merged: each number gets one message.",
            self.duplicates,
        )
        return sentence % {"count": self.duplicates}


@sensitive_variables()
def read(typed: str) -> Recipients:
    """The recipients of a field, separated by lines, commas, semicolons or tabs."""
    numbers: dict[str, int] = {}
    bad: dict[str, str] = {}
    for piece in _pieces(typed):
        try:
            number = _normalized(piece)
        except ValidationError as error:
            bad.setdefault(piece, error.messages[0])
        else:
            numbers[number] = numbers.get(number, 0) + 1
    duplicates = sum(numbers.values()) - len(numbers)
    return Recipients(tuple(numbers), duplicates, tuple(Bad(*each) for each in bad.items()))


@sensitive_variables()
def without(typed: str, bad: str) -> str:
    """The same field, one number a line, without this bad one; without any for an empty one."""
    unwanted = {bad} if bad else {each.typed for each in read(typed).bad}
    return "\n".join(piece for piece in _pieces(typed) if piece not in unwanted)


def _pieces(typed: str) -> Iterator[str]:
    for piece in filter(None, (part.strip() for part in _BETWEEN.split(typed))):
        words = piece.split()
        if len(words) > 1 and all(map(_is_number, words)):
            yield from words
        else:
            yield piece


def _is_number(typed: str) -> bool:
    try:
        return bool(_normalized(typed))
    except ValidationError:
        return False


def _normalized(typed: Any) -> str:
    return normalize_number(typed, allowed=conf.NUMBER_PATTERN)
