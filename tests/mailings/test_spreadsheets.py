"""Files of lists: encodings, delimiters, XLSX, and what is wrong with one."""

from __future__ import annotations

import datetime
import io
import sys
import zipfile

import openpyxl
import pytest
from django.core.exceptions import ValidationError

from django_mobilon_sms.mailings import spreadsheets

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


def test_little_file_that_unpacks_to_much_is_refused(monkeypatch):
    monkeypatch.setattr(spreadsheets, "MAX_UNPACKED_BYTES", 1000)  # to pack more takes seconds
    assert refusal(xlsx(["phone"])).code == "unpacked"


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
