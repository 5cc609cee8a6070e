"""Which column of a list is which, and the text of a row: ``{{NAME}}``, ``{{Any column}}``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ..phone_numbers import normalize_number

#: What people call the columns, the surest first, as ``_key()`` writes it.
NUMBER_NAMES = (
    *("телефон", "номер телефона", "мобильный телефон", "мобильный", "тел", "моб", "сотовый"),
    *("phone", "phone number", "mobile phone", "mobile", "msisdn", "cell", "tel", "telephone"),
    *("получатель", "recipient", "номер", "number"),
)


#: What a longer name of the column of numbers has in it.
NUMBER_WORDS = ("телефон", "phone", "мобильн", "msisdn")


#: The names that a text may use for a column, whatever the file calls it.
FIELDS = {
    "name": ("имя", "name", "фио", "клиент", "имя клиента", "first name", "full name", "customer"),
    "data": ("данные", "data", "info", "информация"),
}


# Two braces, a name, perhaps what stands for an empty cell after a bar: {{NAME|customer}}.
_PLACEHOLDER = re.compile(r"\{\{\s*([^{}|]+?)\s*(?:\|([^{}|]*))?\}\}")


#: Cyrillic letters that look like Latin ones, once both are small: НАМЕ is NAME to the eye.
_LOOKALIKES = str.maketrans("авекмнорстух", "abekmhopctyx")


REFUSALS = {
    "no_numbers": _(
        "No column with phone numbers was found. Name one of the columns “Phone”, or begin with a"
        " number."
    ),
    "no_column": _("The file has no column “%(name)s”. It has: %(columns)s."),
    "braces": _("Close each name of a column with two braces: {{NAME}}."),
    "empty_cell": _(
        "The column “%(name)s” is empty here. Fill it in, or say in the text what stands for it:"
        " {{%(name)s|…}}."
    ),
}


@dataclass(frozen=True)
class Columns:
    """The columns of a list by their places."""

    names: tuple[str, ...]
    number: int
    places: Mapping[str, int]
    #: Whether the first row names the columns, and is no recipient.
    in_first_row: bool

    def place(self, name: str) -> int | None:
        """Where the column of this name is, as people write it."""
        return self.places.get(_key(name))

    def check(self, text: str) -> None:
        """Raise ``ValidationError`` for a text that names what the file has not."""
        rest = _PLACEHOLDER.sub("", text)
        if "{{" in rest or "}}" in rest:
            raise ValidationError(REFUSALS["braces"], code="braces")
        for match in _PLACEHOLDER.finditer(text):
            if self.place(match[1]) is None:
                params = {"name": match[1], "columns": ", ".join(filter(None, self.names))}
                raise ValidationError(REFUSALS["no_column"], code="no_column", params=params)

    def text(self, text: str, cells: Sequence[str]) -> str:
        """The text of a row. Raises ``ValidationError`` where a cell that it needs is empty."""

        def value(match: re.Match[str]) -> str:
            place = self.place(match[1])
            found = cells[place] if place is not None and place < len(cells) else ""
            if found or match[2] is not None:
                return found or match[2]
            raise ValidationError(
                REFUSALS["empty_cell"], code="empty_cell", params={"name": match[1]}
            )

        return _PLACEHOLDER.sub(value, text)

    def typed(self, cells: Sequence[str]) -> str:
        """What the row has for a number."""
        return cells[self.number] if self.number < len(cells) else ""


def find(first: Sequence[str]) -> Columns:
    """The columns of a list from its first row: names, or already a recipient.

    Without names, the columns beside the number are NAME and DATA, in their order.
    Raises ``ValidationError``.
    """
    if (number := _named_number(first)) is not None:
        return Columns(tuple(first), number, _places(first), in_first_row=True)
    for place, cell in enumerate(first):
        if _is_number(cell):
            others = [other for other in range(len(first)) if other != place]
            names = dict(zip(others, ("NAME", "DATA")))
            shown = [names.get(each, "") for each in range(len(first))]
            return Columns(tuple(shown), place, _places(shown), in_first_row=False)
    raise ValidationError(REFUSALS["no_numbers"], code="no_numbers")


def _named_number(first: Sequence[str]) -> int | None:
    keys = [_key(name) for name in first]
    for name in NUMBER_NAMES:
        if (key := _key(name)) in keys:
            return keys.index(key)
    words = [_key(word) for word in NUMBER_WORDS]
    return next((at for at, key in enumerate(keys) if any(word in key for word in words)), None)


def _places(names: Sequence[str]) -> dict[str, int]:
    """By what each column is called, and by what a text may call it besides."""
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        if key := _key(name):
            places.setdefault(key, place)
    for called in FIELDS.values():
        keys = [_key(name) for name in called]
        if found := [places[key] for key in keys if key in places]:
            places |= {key: found[0] for key in keys if key not in places}
    return places


def _key(name: str) -> str:
    """A name without what people write in more than one way."""
    words = re.findall(r"\w+", name.casefold().replace("ё", "е"))
    return " ".join(words).translate(_LOOKALIKES)


def _is_number(cell: str) -> bool:
    try:
        return bool(normalize_number(cell, allowed=r"\+[0-9]+"))
    except ValidationError:
        return False
