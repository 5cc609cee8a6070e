"""CSV and XLSX files to download. No cell of them is a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from itertools import chain
from tempfile import TemporaryFile
from typing import Any

from django.http import FileResponse, StreamingHttpResponse

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

#: How a cell begins that a spreadsheet takes for a formula.
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")

#: Characters that XML, and so XLSX, cannot hold.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class _Echo:
    """A file that returns each line instead of keeping it."""

    def write(self, line: str) -> str:
        """Return the line."""
        return line


def kinds() -> list[str]:
    """Return the kinds of files that can be written. XLSX needs the extra ``xlsx``."""
    return ["csv", "xlsx"] if find_spec("openpyxl") else ["csv"]


def csv_response(
    name: str, rows: Iterable[Sequence[Any]], *, delimiter: str = ";"
) -> StreamingHttpResponse:
    """Return the rows as a CSV file, sent row by row."""
    attached = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(_csv_lines(rows, delimiter), content_type=CSV, headers=attached)


def xlsx_response(name: str, rows: Iterable[Sequence[Any]], *, title: str) -> FileResponse:
    """Return the rows as an XLSX file with one sheet. The file is complete before it is sent."""
    from openpyxl import Workbook  # noqa: PLC0415  an extra

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.sheet_format.defaultColWidth = 20
    for row in rows:
        sheet.append([_as_text(sheet, cell) for cell in row])
    file = TemporaryFile()  # noqa: SIM115  the response closes it
    book.save(file)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX)


def _csv_lines(rows: Iterable[Sequence[Any]], delimiter: str) -> Iterator[str]:
    writer = csv.writer(_Echo(), delimiter=delimiter)
    lines = (writer.writerow([_escape_formula(cell) for cell in row]) for row in rows)
    return chain(["\ufeff"], lines)  # the mark by which spreadsheets recognise UTF-8


def _escape_formula(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def _as_text(sheet: Any, cell: Any) -> Any:
    """Return the cell, marked as text where openpyxl would write a formula or an error."""
    if not isinstance(cell, str):
        return cell
    text = _NOT_IN_XML.sub("\ufffd", cell)
    if not text.startswith(("=", "#")):
        return text
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415  an extra

    marked = WriteOnlyCell(sheet, text)
    marked.data_type = "s"
    return marked
