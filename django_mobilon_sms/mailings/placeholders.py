"""Placeholders in the text of a mailing: ``{{NAME}}``, ``{{Column}}``, ``{{NAME|substitute}}``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .columns import Columns

# The name of a column in double braces. After a bar comes the substitute for an empty cell.
_PLACEHOLDER = re.compile(r"\{\{\s*([^{}|]+?)\s*(?:\|([^{}|]*))?\}\}")

BRACES = _("Write the name of a column between double braces: {{NAME}}.")
NO_COLUMN = _("The file has no column “%(name)s”. It has: %(columns)s.")
EMPTY_CELL = _(
    "The column “%(name)s” is empty here. Fill it in, or give a substitute in the text:"
    " {{%(name)s|…}}."
)


def check(text: str, columns: Columns) -> None:
    """Raise ``ValidationError`` if a placeholder is malformed or names no column."""
    rest = _PLACEHOLDER.sub("", text)
    if "{{" in rest or "}}" in rest:
        raise ValidationError(BRACES, code="braces")
    for match in _PLACEHOLDER.finditer(text):
        if columns.place(match[1]) is None:
            params = {"name": match[1], "columns": ", ".join(filter(None, columns.names))}
            raise ValidationError(NO_COLUMN, code="no_column", params=params)


def fill(text: str, columns: Columns, cells: Sequence[str]) -> str:
    """Return the text with the cells of a row in place of the placeholders.

    Raises ``ValidationError`` if a cell is empty and its placeholder has no substitute.
    """

    def replacement(match: re.Match[str]) -> str:
        place = columns.place(match[1])
        cell = cells[place] if place is not None and place < len(cells) else ""
        if cell or match[2] is not None:
            return cell or match[2]
        raise ValidationError(EMPTY_CELL, code="empty_cell", params={"name": match[1]})

    return _PLACEHOLDER.sub(replacement, text)
