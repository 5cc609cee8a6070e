"""Placeholders in the text of a mailing: ``{{NAME}}``, ``{{Column}}``, ``{{NAME|substitute}}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ..conf import conf
from .columns import Columns

# The name of a column in double braces. After a bar comes the substitute for an empty cell.
# Nothing in it can match in two ways, so that its time is linear in the length of the text.
_PLACEHOLDER = re.compile(r"\{\{([^{}|]*)(?:\|([^{}|]*))?\}\}")

#: Characters of the longest segment of a text with several.
_SEGMENT = 153

BRACES = _("Write the name of a column between double braces: {{NAME}}.")
NO_COLUMN = _("The file has no column “%(name)s”. It has: %(columns)s.")
EMPTY_CELL = _(
    "The column “%(name)s” is empty here. Fill it in, or give a substitute in the text:"
    " {{%(name)s|…}}."
)
TOO_LONG = _("The text is longer than %(most)d characters. Shorten it.")


class _Placeholder(NamedTuple):
    name: str
    #: The place of its column.
    place: int
    substitute: str | None


class Template:
    """The text of a mailing, split once at its placeholders."""

    def __init__(self, text: str, columns: Columns) -> None:
        """Raise ``ValidationError`` if a placeholder is malformed or names no column."""
        #: As long as a filled text can be, and twice that for the names in it.
        self._most = conf.MAX_SEGMENTS * _SEGMENT
        _require_length(len(text), 2 * self._most)
        self._parts = list(_split(text, columns))

    def fill(self, cells: Sequence[str]) -> str:
        """Return the text with the cells of a row in place of the placeholders.

        Raises ``ValidationError`` if a cell is empty and its placeholder has no substitute, or if
        the text becomes longer than any setting allows.
        """
        filled, length = [], 0
        for part in self._parts:
            filled.append(part if isinstance(part, str) else _value(part, cells))
            length += len(filled[-1])
            _require_length(length, self._most)
        return "".join(filled)


def _split(text: str, columns: Columns) -> Iterator[str | _Placeholder]:
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        yield _literal(text[end : match.start()])
        end, name = match.end(), match[1].strip()
        if not name:
            raise ValidationError(BRACES, code="braces")
        if (place := columns.place(name)) is None:
            params = {"name": name, "columns": ", ".join(filter(None, columns.names))}
            raise ValidationError(NO_COLUMN, code="no_column", params=params)
        yield _Placeholder(name, place, match[2])
    yield _literal(text[end:])


def _literal(text: str) -> str:
    if "{{" in text or "}}" in text:
        raise ValidationError(BRACES, code="braces")
    return text


def _value(placeholder: _Placeholder, cells: Sequence[str]) -> str:
    cell = cells[placeholder.place] if placeholder.place < len(cells) else ""
    if not cell and placeholder.substitute is None:
        params = {"name": placeholder.name}
        raise ValidationError(EMPTY_CELL, code="empty_cell", params=params)
    return cell or placeholder.substitute or ""


def _require_length(length: int, most: int) -> None:
    if length > most:
        raise ValidationError(TOO_LONG, code="too_long", params={"most": most})
