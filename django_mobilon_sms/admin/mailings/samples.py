"""Lists to download: a sample to begin with, and CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


#: What a spreadsheet begins a formula with. A plain number may begin with a + as well.
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def kinds() -> list[str]:
    """Which samples there are: XLSX only where it can be read."""
    return ["csv", "xlsx"] if find_spec("openpyxl") else ["csv"]


def rows() -> list[list[str]]:
    """A list as people keep it."""
    return [
        [_("Phone"), _("Name"), _("Data")],
        ["89135292926", _("Anna"), _("order 1001")],
        ["8 (913) 529-29-27", _("Pavel"), _("order 1002")],
    ]


def response(kind: str) -> HttpResponseBase:
    """The sample as a file of this kind."""
    if kind == "csv":
        header, *others = rows()
        return csv_response("sample.csv", header, others)
    from openpyxl import Workbook  # noqa: PLC0415  an extra

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for place in "ABC":
        sheet.column_dimensions[place].width = 20
    for cells in rows():
        sheet.append(cells)
    written = io.BytesIO()
    book.save(written)
    return _attached(HttpResponse(written.getvalue(), content_type=XLSX), "sample.xlsx")


def csv_response(
    name: str, header: Sequence[str], rows: Iterable[Sequence[str]]
) -> HttpResponseBase:
    """A CSV file as Excel opens it, streamed: UTF-8 with its mark, semicolons, no formulas."""
    streamed = StreamingHttpResponse(_lines(header, rows), content_type="text/csv; charset=utf-8")
    return _attached(streamed, name)


def _lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    buffer = io.StringIO("\ufeff")
    buffer.seek(0, io.SEEK_END)
    writer = csv.writer(buffer, delimiter=";")
    writer.writerow(header)
    for cells in rows:
        writer.writerow(_harmless(cell) for cell in cells)
        if buffer.tell() > 65536:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _harmless(cell: str) -> str:
    if cell.startswith(FORMULAS) and not cell.removeprefix("+").isdigit():
        return f"'{cell}"
    return cell


def _attached(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
