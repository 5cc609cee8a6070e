"""Lists as people keep them: CSV in the dialects of their programs, or XLSX, row by row.

A file is never whole in memory as rows: it is read anew wherever its rows are needed.
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

#: The size of a file, and of what is packed into one.
MOST_BYTES = 10 * 1024 * 1024


MOST_UNPACKED = 100 * 1024 * 1024


#: The line on which a row begins, counted from 1, and its cells.
Row = tuple[int, list[str]]


_CHUNK = 65536


_XLSX = b"PK\x03\x04"


_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


_DELIMITERS = ";\t,"


REFUSALS = {
    "empty": _("The file is empty."),
    "too_big": _("The file is larger than 10 MB. Split it, or leave columns out."),
    "old_excel": _("This is the old format of Excel. Save it there as XLSX or CSV."),
    "no_openpyxl": _(
        "XLSX is not read here: openpyxl is not installed. Save the file as CSV, or ask the"
        " administrator."
    ),
    "unpacked": _("There is far more in this file than a list of recipients. Save it as CSV."),
    "broken_xlsx": _("The file can not be read as XLSX. Open it, and save it as XLSX or CSV."),
    "encoding": _("The file is neither in UTF-8 nor in Windows-1251. Save it as CSV UTF-8."),
    "not_csv": _(
        "Line %(line)d can not be read as CSV. Look at the quotation marks there, or save the"
        " file as XLSX."
    ),
}


def read(data: bytes) -> Iterator[Row]:
    """The rows of a file, those without a word left out.

    Raises ``ValidationError``, whose code is a key of ``REFUSALS``, also on the way.
    """
    if len(data) > MOST_BYTES:
        raise refusal("too_big")
    if data.startswith(_OLD_EXCEL):
        raise refusal("old_excel")
    rows = _xlsx(data) if data.startswith(_XLSX) else _csv(data)
    return ((line, cells) for line, cells in rows if any(cells))


def refusal(code: str, **params: Any) -> ValidationError:
    """What is wrong with a file, and the way out."""
    return ValidationError(REFUSALS[code], code=code, params=params)


def _csv(data: bytes) -> Iterator[Row]:
    encoding = _encoding(data)
    with io.TextIOWrapper(io.BytesIO(data), encoding, newline="") as lines:
        named, delimiter = _delimiter(islice(lines, 1))
        if not named:  # the line is one of the list's
            lines.seek(0)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        line = named
        try:
            for cells in reader:
                yield line + 1, [cell.strip() for cell in cells]
                line = named + reader.line_num
        except csv.Error:
            raise refusal("not_csv", line=line + 1) from None


def _encoding(data: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if data.startswith(mark) and _decodes(data, encoding):
            return encoding
    for encoding in ("utf-8", "cp1251"):
        if _decodes(data, encoding):
            return encoding
    raise refusal("encoding")


def _decodes(data: bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), _CHUNK):
            decoder.decode(data[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(first: Iterable[str]) -> tuple[int, str]:
    """Whether a first line only names the delimiter, as Excel's ``sep=;`` does; the delimiter."""
    line = next(iter(first), "")
    if line.lower().startswith("sep=") and len(line.rstrip("\r\n")) == 5:
        return 1, line[4]
    outside = "".join(line.split('"')[::2])
    return 0, max(_DELIMITERS, key=outside.count)


def _xlsx(data: bytes) -> Iterator[Row]:
    try:
        import openpyxl  # noqa: PLC0415  an extra
    except ImportError:
        raise refusal("no_openpyxl") from None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(each.file_size for each in packed.infolist()) > MOST_UNPACKED:
                raise refusal("unpacked")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        try:
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # some programs write wrong ones
            for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
                yield line, [_cell(value) for value in cells]
        finally:
            book.close()
    except (ValidationError, GeneratorExit):
        raise
    except Exception:  # whatever openpyxl stumbles over in a broken file
        raise refusal("broken_xlsx") from None


def _cell(value: object) -> str:
    """A value as people read it in the cell, its number format aside."""
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
