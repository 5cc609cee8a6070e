"""Limits of an XLSX file, checked before openpyxl works on it.

A file of a few kilobytes can unpack to gigabytes, or ask for a row of 18,000 cells twenty thousand
times. The scan streams each part once, keeps nothing of it, and stops at the first limit.
"""

from __future__ import annotations

from functools import cache, reduce
from typing import Any, NamedTuple
from xml.parsers import expat
from zipfile import ZipFile, ZipInfo

MAX_UNPACKED_BYTES = 100 * 1024 * 1024
#: Rows of a list, with the empty ones between them.
MAX_ROWS = 200_000
MAX_COLUMNS = 256
#: Cells of the workbook, and also texts.
MAX_CELLS = 1_000_000
#: XML elements of any kind, and those that are neither rows nor cells nor texts.
MAX_ELEMENTS = 5_000_000
MAX_OTHER_ELEMENTS = 100_000
MAX_SHEETS = 100

_BYTES_AT_ONCE = 65536
#: A longer tag makes an XML parser read it again and again.
_MAX_TAG_BYTES = 1024 * 1024
_VALUES = frozenset({"v", "is"})
#: What cells and texts hold.
_CHEAP = frozenset({"f", "t", "r"})


class LimitExceeded(Exception):
    """``code`` names the limit, as in ``spreadsheets.REFUSALS``."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


class Extent(NamedTuple):
    """The last row and the last column that hold a value in any sheet, counted from 1."""

    rows: int
    columns: int


def measure(packed: ZipFile) -> Extent:
    """Return the extent of the sheets. Raise ``LimitExceeded``, or ``ValueError`` for bad XML."""
    scan = _Scan()
    for member in packed.infolist():
        scan.read(packed, member)
    return Extent(scan.last_row, scan.last_column)


class _Scan:
    """Counts over all parts of a workbook."""

    def __init__(self) -> None:
        self.bytes = self.elements = self.others = self.sheets = self.cells = self.texts = 0
        self.last_row = self.last_column = 0
        self._row = self._column = 0

    def read(self, packed: ZipFile, member: ZipInfo) -> None:
        """Scan a part of the workbook. Parts that are no XML, such as images, are only unpacked."""
        parser, self._row, self._column = expat.ParserCreate(), 0, 0
        parser.StartElementHandler = self._start
        parser.StartDoctypeDeclHandler = _refuse_doctype
        fed, is_xml = 0, True
        with packed.open(member) as part:
            while data := part.read(_BYTES_AT_ONCE):
                fed += len(data)
                self.bytes += len(data)
                is_xml = is_xml and _parses(parser, data, must=_must_be_xml(member, data, fed))
                if is_xml and fed - parser.CurrentByteIndex > _MAX_TAG_BYTES:
                    raise LimitExceeded("unpacked")
                self._check_counts()

    def _check_counts(self) -> None:
        if self.cells > MAX_CELLS or self.texts > MAX_CELLS:
            raise LimitExceeded("cells", most=MAX_CELLS)
        if (
            self.bytes > MAX_UNPACKED_BYTES
            or self.elements > MAX_ELEMENTS
            or self.others > MAX_OTHER_ELEMENTS
            or self.sheets > MAX_SHEETS
        ):
            raise LimitExceeded("unpacked")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        """Count an element. Only increments, because a large list has a million."""
        name = tag.rpartition(":")[2]
        self.elements += 1
        if name == "c":
            self.cells += 1
            given = attributes.get("r")
            self._column = _column(given) if given else self._column + 1
        elif name == "row":
            given = attributes.get("r")
            self._row, self._column = int(float(given)) if given else self._row + 1, 0
        elif name in _VALUES:
            self._value()
            self.texts += name == "is"
        elif name == "si":
            self.texts += 1
        elif name not in _CHEAP:
            self.others += 1
            self.sheets += name == "sheet"

    def _value(self) -> None:
        """Note the place of a value."""
        if self._row > self.last_row:
            self.last_row = self._row
            if self._row > MAX_ROWS:
                raise LimitExceeded("rows", most=MAX_ROWS)
        if self._column > self.last_column:
            self.last_column = self._column
            if self._column > MAX_COLUMNS:
                raise LimitExceeded("columns", most=MAX_COLUMNS)


def _parses(parser: expat.XMLParserType, data: bytes, *, must: bool) -> bool:
    try:
        parser.Parse(data, False)
    except expat.ExpatError:
        if must:
            raise ValueError("A part is not well-formed XML.") from None
        return False
    return True


def _must_be_xml(member: ZipInfo, data: bytes, fed: int) -> bool:
    """Return whether openpyxl may read this part: then it must be XML that was scanned whole."""
    begins = fed == len(data) and b"<?xml" in data[:100]
    return begins or member.filename.lower().endswith((".xml", ".rels"))


def _refuse_doctype(*_declaration: object) -> None:
    raise ValueError("A workbook declares no document type.")


def _column(reference: str) -> int:
    """Return the number of the column in a reference such as ``B7``."""
    letters = reference.rstrip("0123456789").upper()
    if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
        raise ValueError("A cell has no readable place.")
    return _number(letters)


@cache
def _number(letters: str) -> int:
    return reduce(lambda number, letter: number * 26 + ord(letter) - 64, letters, 0)
