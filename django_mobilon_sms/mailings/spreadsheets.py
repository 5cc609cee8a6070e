"""Read lists row by row: CSV in the dialects of office programs, or XLSX.

The rows of a file are never all in memory. They are read again wherever they are needed.
"""

from __future__ import annotations

import codecs
import csv
import datetime
import io
import zipfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from . import xlsx_limits
from .xlsx_limits import MAX_COLUMNS, MAX_ROWS, LimitExceeded

MAX_FILE_BYTES = 10 * 1024 * 1024

#: The line on which a row begins, counted from 1, and its cells.
Row = tuple[int, list[str]]

_BYTES_AT_ONCE = 65536
_XLSX = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_DELIMITERS = ";\t,"

REFUSALS = {
    "empty": _("The file is empty."),
    "too_big": _("The file is larger than 10 MB. Split it, or remove columns."),
    "old_excel": _("This is an old Excel file. Save it in Excel as XLSX or CSV."),
    "no_openpyxl": _(
        "XLSX files cannot be read, because openpyxl is not installed. Save the file as CSV, or ask"
        " the administrator."
    ),
    "rows": _(
        "A list can have %(most)d rows, with the empty ones. Remove what is below, or split the"
        " file."
    ),
    "columns": _(
        "A list can have %(most)d columns. Remove the columns that the text does not need."
    ),
    "cells": _(
        "This workbook has more than %(most)d cells. Remove the columns and sheets that the text"
        " does not need, or split the file."
    ),
    "unpacked": _("This file unpacks to far more than a list of recipients. Save it as CSV."),
    "broken_xlsx": _("The file cannot be read as XLSX. Open it and save it again as XLSX or CSV."),
    "encoding": _("The file is neither in UTF-8 nor in Windows-1251. Save it as CSV UTF-8."),
    "not_csv": _(
        "Line %(line)d cannot be read as CSV. Check its quotation marks, or save the file as XLSX."
    ),
}


def read(data: bytes) -> Iterator[Row]:
    """Return the rows of a file, without the empty ones.

    Raises ``ValidationError``, whose code is a key of ``REFUSALS``, also between rows.
    """
    if len(data) > MAX_FILE_BYTES:
        raise refusal("too_big")
    if data.startswith(_OLD_EXCEL):
        raise refusal("old_excel")
    rows = _xlsx(data) if data.startswith(_XLSX) else _csv(data)
    return _within_limits(rows)


def refusal(code: str, **params: Any) -> ValidationError:
    """Return the error for a file: what is wrong, and what to do."""
    return ValidationError(REFUSALS[code], code=code, params=params)


def _within_limits(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the rows that are not empty, without the empty cells beyond the last column."""
    for count, (line, cells) in enumerate(rows, start=1):
        if count > MAX_ROWS:
            raise refusal("rows", most=MAX_ROWS)
        if any(cells[MAX_COLUMNS:]):
            raise refusal("columns", most=MAX_COLUMNS)
        if any(cells):
            yield line, cells[:MAX_COLUMNS]


def _csv(data: bytes) -> Iterator[Row]:
    encoding = _encoding(data)
    with io.TextIOWrapper(io.BytesIO(data), encoding, newline="") as lines:
        skipped, delimiter = _delimiter(islice(lines, 1))
        if not skipped:
            lines.seek(0)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        line = skipped
        try:
            for cells in reader:
                yield line + 1, [cell.strip() for cell in cells]
                line = skipped + reader.line_num
        except csv.Error:
            raise refusal("not_csv", line=line + 1) from None


def _encoding(data: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark) and _decodes(data, encoding):
            return encoding
    for encoding in ("utf-8", "cp1251"):
        if _decodes(data, encoding):
            return encoding
    raise refusal("encoding")


def _decodes(data: bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), _BYTES_AT_ONCE):
            decoder.decode(data[start : start + _BYTES_AT_ONCE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(first: Iterable[str]) -> tuple[int, str]:
    """Return the lines to skip and the delimiter. Excel's ``sep=;`` line only names it."""
    line = next(iter(first), "")
    named = line.rstrip("\r\n")
    if named.lower().startswith("sep=") and named[4:] in (*_DELIMITERS, "|"):
        return 1, named[4]
    outside = "".join(line.split('"')[::2])
    return 0, max(_DELIMITERS, key=outside.count)


def _xlsx(data: bytes) -> Iterator[Row]:
    try:
        import openpyxl  # noqa: PLC0415  an extra
    except ImportError:
        raise refusal("no_openpyxl") from None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            extent = xlsx_limits.measure(packed)
        book = openpyxl.load_workbook(
            io.BytesIO(data), read_only=True, data_only=True, keep_links=False
        )
        try:
            yield from _sheet_rows(book.worksheets[0], extent)
        finally:
            book.close()
    except LimitExceeded as limit:
        raise refusal(limit.code, **limit.params) from None
    except (ValidationError, GeneratorExit):
        raise
    except Exception:  # openpyxl raises many kinds for a broken file
        raise refusal("broken_xlsx") from None


def _sheet_rows(sheet: Any, extent: xlsx_limits.Extent) -> Iterator[Row]:
    sheet.reset_dimensions()  # because some programs write wrong ones
    if not extent.rows:
        return
    cells = sheet.iter_rows(max_row=extent.rows, max_col=extent.columns, values_only=True)
    for line, values in enumerate(cells, start=1):
        width = next((at for at in range(len(values), 0, -1) if values[at - 1] is not None), 0)
        yield line, [_cell(value) for value in values[:width]]


def _cell(value: object) -> str:
    """Return a value as people see it in the cell, apart from its number format."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.15g}" if not value.is_integer() else str(int(value))
    if isinstance(value, datetime.datetime):
        return f"{value:%d.%m.%Y %H:%M}".removesuffix(" 00:00")
    if isinstance(value, datetime.date):
        return f"{value:%d.%m.%Y}"
    if isinstance(value, datetime.time):
        return f"{value:%H:%M}"
    return str(value).strip()
