"""A sample list to download and fill in."""

from __future__ import annotations

from django.http import FileResponse, StreamingHttpResponse
from django.utils.translation import gettext as _

from .. import spreadsheet_files


def response(kind: str) -> FileResponse | StreamingHttpResponse:
    """Return the sample as a file of this kind."""
    rows = [
        [_("Phone"), _("Name"), _("Data")],
        ["89135292926", _("Anna"), _("order 1001")],
        ["8 (913) 529-29-27", _("Pavel"), _("order 1002")],
    ]
    if kind == "csv":
        return spreadsheet_files.csv_response("sample.csv", rows)
    return spreadsheet_files.xlsx_response("sample.xlsx", rows, title=_("Recipients"))
