"""The columns of a list: the one with the numbers, and the names that a text may use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ..phone_numbers import normalize_number

#: Usual names of the column of numbers, the most certain first.
NUMBER_NAMES = (
    *("телефон", "номер телефона", "мобильный телефон", "мобильный", "тел", "моб", "сотовый"),
    *("phone", "phone number", "mobile phone", "mobile", "msisdn", "cell", "tel", "telephone"),
    *("получатель", "recipient", "номер", "number"),
)

#: Words in longer names of the column of numbers.
NUMBER_WORDS = ("телефон", "phone", "мобильн", "msisdn")

#: Names for the same column: a text may use any of them, whichever the file has.
SYNONYMS = (
    ("имя", "name", "фио", "клиент", "имя клиента", "first name", "full name", "customer"),
    ("данные", "data", "info", "информация"),
)

# Lowercase Cyrillic letters that look like Latin ones: people read НАМЕ as NAME.
_LOOKALIKES = str.maketrans("авекмнорстух", "abekmhopctyx")

NO_NUMBERS = _(
    "No column of phone numbers was found. Name a column “Phone”, or begin the file with a number."
)


@dataclass(frozen=True)
class Columns:
    """The columns of a list by their places, counted from 0."""

    names: tuple[str, ...]
    #: The place of the column of numbers.
    number: int
    places: Mapping[str, int]
    #: Whether the first row names the columns and is no recipient.
    in_first_row: bool

    def place(self, name: str) -> int | None:
        """Return the place of the column with this name, however it is written."""
        return self.places.get(_key(name))

    def number_cell(self, cells: Sequence[str]) -> str:
        """Return the cell of a row that holds the number, empty if the row is too short."""
        return cells[self.number] if self.number < len(cells) else ""


def find(first: Sequence[str]) -> Columns:
    """Return the columns of a list from its first row, which names them or is a recipient.

    Without names, the columns beside the number are NAME and DATA, in their order. Raises
    ``ValidationError`` if no column holds numbers.
    """
    if (number := _named_number(first)) is not None:
        return Columns(tuple(first), number, _places(first), in_first_row=True)
    for place, cell in enumerate(first):
        if _is_number(cell):
            others = [other for other in range(len(first)) if other != place]
            named = dict(zip(others, ("NAME", "DATA")))
            names = tuple(named.get(other, "") for other in range(len(first)))
            return Columns(names, place, _places(names), in_first_row=False)
    raise ValidationError(NO_NUMBERS, code="no_numbers")


def _named_number(first: Sequence[str]) -> int | None:
    """Return the place of the column whose name stands for numbers."""
    keys = [_key(name) for name in first]
    for name in NUMBER_NAMES:
        if (key := _key(name)) in keys:
            return keys.index(key)
    words = [_key(word) for word in NUMBER_WORDS]
    return next((at for at, key in enumerate(keys) if any(word in key for word in words)), None)


def _places(names: Sequence[str]) -> dict[str, int]:
    """Return the place of each column by the keys of its name and of the name's synonyms."""
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        if key := _key(name):
            places.setdefault(key, place)
    for synonyms in SYNONYMS:
        keys = [_key(name) for name in synonyms]
        if found := [places[key] for key in keys if key in places]:
            places |= {key: found[0] for key in keys if key not in places}
    return places


def _key(name: str) -> str:
    """Return a name without case, punctuation and look-alike letters."""
    words = re.findall(r"\w+", name.casefold().replace("ё", "е"))
    return " ".join(words).translate(_LOOKALIKES)


def _is_number(cell: str) -> bool:
    try:
        return bool(normalize_number(cell, allowed=r"\+[0-9]+"))
    except ValidationError:
        return False
