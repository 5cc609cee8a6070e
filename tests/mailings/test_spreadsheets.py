"""Files of lists: encodings, delimiters, XLSX, and what is wrong with one."""

from __future__ import annotations

import datetime
import io
import sys
import zipfile

import openpyxl
import pytest
from django.core.exceptions import ValidationError

from django_mobilon_sms.mailings import spreadsheets, xlsx_limits

TEXT = 'Телефон;Имя\n89135292926;Анна\n\n;\n89135292927;"Пётр;\nИванович"\n'
ROWS = [
    (1, ["Телефон", "Имя"]),
    (2, ["89135292926", "Анна"]),
    (5, ["89135292927", "Пётр;\nИванович"]),
]


def xlsx(*rows):
    book = openpyxl.Workbook()
    for cells in rows:
        book.active.append(cells)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def refusal(data):
    with pytest.raises(ValidationError) as error:
        list(spreadsheets.read(data))
    return error.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encoding_and_delimiter_are_found_out(encoding, delimiter, end):
    text = TEXT.replace(";", delimiter).replace("\n", end)
    rows = [
        (line, [cell.replace(";", delimiter).replace("\n", end) for cell in cells])
        for line, cells in ROWS
    ]
    assert list(spreadsheets.read(text.encode(encoding))) == rows


def test_delimiter_that_excel_names_is_taken_and_is_no_row():
    data = b"sep=,\r\nphone,name\r\n89135292926,a;b;c\r\n"
    assert list(spreadsheets.read(data)) == [
        (2, ["phone", "name"]),
        (3, ["89135292926", "a;b;c"]),
    ]


@pytest.mark.parametrize("named", ["a", ".", "й"])
def test_line_that_names_no_delimiter_is_a_row(named):
    rows = list(spreadsheets.read(f"sep={named}\nphone\n".encode()))
    assert rows == [(1, [f"sep={named}"]), (2, ["phone"])]


def test_delimiter_within_quotes_does_not_count():
    assert list(spreadsheets.read(b'phone;"a,b,c"\n')) == [(1, ["phone", "a,b,c"])]


def test_cells_of_xlsx_read_as_people_see_them():
    day = datetime.datetime(2026, 3, 8)
    data = xlsx(
        ["Телефон", "Имя"],
        [89135292926, " Анна "],
        [None, None],
        [89135292927.0, 990.5],
        ["8913", day],
        [datetime.date(2026, 3, 8), day.replace(hour=9, minute=5)],
        [datetime.time(9, 5), True],
    )
    assert list(spreadsheets.read(data)) == [
        (1, ["Телефон", "Имя"]),
        (2, ["89135292926", "Анна"]),
        (4, ["89135292927", "990.5"]),
        (5, ["8913", "08.03.2026"]),
        (6, ["08.03.2026", "08.03.2026 09:05"]),
        (7, ["09:05", "True"]),
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"phone\n" + b"8" * spreadsheets.MAX_FILE_BYTES, "too_big"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old_excel"),
        (b"phone;\x98\xff\n", "encoding"),
        (b"PK\x03\x04 nothing of the kind", "broken_xlsx"),
        (b'phone;name\n89135292926;"open\n', "not_csv"),
    ],
    ids=["too big", "old Excel", "neither encoding", "broken XLSX", "open quote"],
)
def test_what_is_no_list_is_refused(data, code):
    assert refusal(data).code == code


def test_line_that_is_no_csv_is_named():
    error = refusal(b'phone;name\n1;a\n2;"b"c\n')
    assert error.messages == [
        "Line 3 cannot be read as CSV. Check its quotation marks, or save the file as XLSX."
    ]


def test_little_file_that_unpacks_to_much_is_refused():
    half = b" " * (xlsx_limits.MAX_UNPACKED_BYTES // 2)
    data = workbook(more={"xl/media/a.png": half, "xl/media/b.png": half})
    assert (len(data) < spreadsheets.MAX_FILE_BYTES, refusal(data).code) == (True, "unpacked")


NUMBER = b"<v>89135292926</v>"
TOO_MANY = xlsx_limits.MAX_CELLS + 1


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"rows": b'<row r="1000000000"><c>%s</c></row>' % NUMBER}, "rows"),
        ({"rows": b'<row r="1e9"><c>%s</c></row>' % NUMBER}, "rows"),
        ({"rows": b"<row/>" * 200_000 + b"<row><c>%s</c></row>" % NUMBER}, "rows"),
        ({"rows": b'<row><c r="ZZZ1">%s</c></row>' % NUMBER * 20_000}, "columns"),
        ({"rows": b"<row>%s<c>%s</c></row>" % (b"<c/>" * 256, NUMBER)}, "columns"),
        ({"rows": b"<row>%s</row>" % (b"<c/>" * TOO_MANY)}, "cells"),
        ({"more": {"xl/sharedStrings.xml": b"<sst>%s</sst>" % (b"<si/>" * TOO_MANY)}}, "cells"),
        ({"rows": b"<row><c>%s</c></row>" % (b"<is/>" * TOO_MANY)}, "cells"),
        ({"more": {"xl/other.xml": b"<xfs>%s</xfs>" % (b"<xf/>" * 100_001)}}, "unpacked"),
        ({"more": {"xl/other.xml": b"<a>%s</a>" % (b"<sheet/>" * 101)}}, "unpacked"),
        ({"more": {"xl/other": b'<?xml version="1.0"?><a b="%s"/>' % (b"x" * 2**21)}}, "unpacked"),
        ({"rows": b'<row r="nan"/>'}, "broken_xlsx"),
        ({"rows": b'<row><c r="AAAA1">%s</c></row>' % NUMBER}, "broken_xlsx"),
        ({"more": {"xl/other.xml": b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}}, "broken_xlsx"),
        ({"rows": b"</x>"}, "broken_xlsx"),
    ],
)
def test_workbook_that_asks_for_endless_work_is_refused_before_it_is_done(parts, code):
    """With the work done, most of these would take minutes to hours."""
    data = workbook(**parts)
    assert (len(data) < 200_000, refusal(data).code) == (True, code)


def test_workbook_with_too_many_elements_is_refused(monkeypatch):
    monkeypatch.setattr(xlsx_limits, "MAX_ELEMENTS", 1000)  # to read as many takes seconds
    assert refusal(workbook(rows=b"<row>%s</row>" % (b"<r/>" * 1001))).code == "unpacked"


def test_places_without_a_value_do_not_count():
    numbers = b"<row><c>%s</c></row>" % NUMBER
    far = b'<row r="7"><c r="ZZZ7"/></row><row r="1000000000"/><row r="1048576"><c s="1"/></row>'
    images = {"xl/media/a.png": b"\x89PNG\r\n", "xl/drawings/a.vml": b"<xml><br></xml>"}
    data = workbook(rows=numbers + far, more=images)
    assert list(spreadsheets.read(data)) == [(1, ["89135292926"])]


def workbook(*, rows=b"", more=None):
    """A workbook whose sheet has these rows, with more parts."""
    start = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    sheet = b"%s<sheetData>%s</sheetData></worksheet>" % (start, rows)
    written = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx(["phone"]))) as plain,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in plain.namelist():
            archive.writestr(name, sheet if "sheet1" in name else plain.read(name))
        for name, part in (more or {}).items():
            archive.writestr(name, part)
    return written.getvalue()


def test_list_with_too_many_rows_or_columns_is_refused():
    assert refusal(b"phone\n" + b"\n" * 200_000).messages == [
        "A list can have 200000 rows, with the empty ones. Remove what is below, or split the file."
    ]
    assert refusal(b"phone" + b";" * 256 + b"x").messages == [
        "A list can have 256 columns. Remove the columns that the text does not need."
    ]
    [(_line, cells)] = spreadsheets.read(b"phone" + b";" * 1000)
    assert (cells[0], len(cells)) == ("phone", 256)


def test_archive_that_is_no_workbook_is_refused():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", "a")
    assert refusal(packed.getvalue()).code == "broken_xlsx"


def test_without_openpyxl_csv_is_asked_for(monkeypatch):
    data = xlsx(["phone"])
    monkeypatch.setitem(sys.modules, "openpyxl", None)  # as if it were not installed
    assert refusal(data).code == "no_openpyxl"
    assert list(spreadsheets.read(b"phone\n")) == [(1, ["phone"])]
