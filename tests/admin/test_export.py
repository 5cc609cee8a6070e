"""The list as a file, through the admin's door."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation
from django.utils.timezone import override

from django_mobilon_sms.admin import spreadsheet_files
from django_mobilon_sms.admin.reports import export_files
from django_mobilon_sms.choices import ErrorCode, Status
from django_mobilon_sms.mailings import spreadsheets
from django_mobilon_sms.mailings.columns import find
from django_mobilon_sms.models import SmsMessage
from tests.support.admin_door import LIST, change, notices, person, text_of
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db]

KRASNOYARSK = ZoneInfo("Asia/Krasnoyarsk")
NOON = datetime(2026, 3, 5, 5, 0, 1, 123456, tzinfo=timezone.utc)
FORMULAS = [
    "=1+1",
    "+7 913",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\n=1",
    '=HYPERLINK("http://x")',
    "＝1",
    "#N/A",
]


def address(kind):
    return f"{LIST}export/{kind}/"


def csv_of(client, delimiter=",", headers=None, **query):
    """Return the rows of the file, headings first."""
    response = client.get(address("csv"), query, headers=headers)
    assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")
    text = b"".join(response.streaming_content).decode()
    assert text[0] == "\ufeff"
    return list(csv.reader(io.StringIO(text[1:], newline=""), delimiter=delimiter, strict=True))


def xlsx_of(client, **query):
    response = client.get(address("xlsx"), query)
    assert response.status_code == 200
    sheet = openpyxl.load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    return [list(row) for row in sheet.iter_rows()]


def test_csv_has_each_field_of_a_message(client):
    user = client.get(LIST).wsgi_request.user
    [message] = write(text='Ваш заказ;\n"готов"', tag="sale", priority=9, created_by=user)
    given = {"status": Status.SENT, "gateway_id": "a1", "accepted_at": NOON, "sent_at": NOON}
    change(message, created_at=NOON, send_at=NOON, **given)
    assert csv_of(client) == [
        ["Number", "Status", "Text", "Segments", "Sender", "Tag", "Priority", "Created at",
         "Created by", "Send at", "Sent at", "Delivered at", "Error", "Resolution", "Decided by",
         "Decided at", "Sent again by", "Sent again at", "Cancelled by", "Cancelled at",
         "Gateway id", "Guid"],
        ["89135292926", "sent", "Ваш заказ;\n\"готов\"", "1", "89234560000", "sale", "low",
         "2026-03-05 12:00:01", "anna", "2026-03-05 12:00:01", "2026-03-05 12:00:01", "", "", "",
         "", "", "", "", "", "", "a1", str(message.guid)],
    ]  # fmt: skip


def test_russian_file_opens_in_a_russian_spreadsheet(client):
    [message] = write()
    change(message, status=Status.FAILED, error_code=ErrorCode.REJECTED)
    names, row = csv_of(client, ";", headers={"accept-language": "ru"})
    assert names[:4] == ["Номер", "Статус", "Текст", "Частей"]
    assert (row[1], row[12]) == ("не отправлено", "Шлюз отклонил это сообщение.")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(client, text):
    write()
    SmsMessage.objects.all().change(text=text, tag=text[:5])
    [_names, row] = csv_of(client)
    mark = "" if text == "#N/A" else "'"
    assert (row[2], row[5]) == (f"{mark}{text}", f"{mark}{text[:5]}")
    [_names, cells] = xlsx_of(client)
    assert (cells[2].value, cells[2].data_type) == (text, "s")


def test_xlsx_has_the_same_cells_with_real_times(client):
    [message] = write()
    change(message, created_at=NOON, text="Ваш заказ\x01 готов")  # of an older rule
    names, row = xlsx_of(client)
    assert [cell.value for cell in names] == csv_of(client)[0]
    assert row[0].value == "89135292926"
    assert row[2].value == "Ваш заказ\ufffd готов"
    assert row[7].value == datetime(2026, 3, 5, 12, 0, 1)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_upload_reads_the_numbers_back(client, kind, language):
    write(number="8 913 529-29-26")
    response = client.get(address(kind), headers={"accept-language": language})
    file = SimpleUploadedFile("x", b"".join(response.streaming_content))
    (_line, first), (_second, cells) = spreadsheets.read(file.read())
    assert find(first).number_cell(cells) == "89135292926"


def test_file_holds_the_filtered_list_of_all_pages(client, monkeypatch):
    monkeypatch.setattr(export_files, "ROWS_PER_QUERY", 50)
    messages = write(120, tag="sale")
    write(2)
    rows = csv_of(client, tag="sale")[1:]
    assert [row[-1] for row in rows] == [str(m.guid) for m in reversed(messages)]
    assert len(csv_of(client, q="sale")) == 121
    assert len(csv_of(client, status__exact="failed")) == 1
    html = client.get(LIST, {"tag": "sale", "p": "2"}).content.decode()
    assert f'href="{LIST}export/csv/?tag=sale"' in html
    assert f'href="{LIST}export/xlsx/?tag=sale"' in html


def test_messages_are_read_some_at_a_time(client, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(export_files, "ROWS_PER_QUERY", 10)
    write(25)
    lines = export_files.rows(SmsMessage.objects.all(), with_texts=True)
    with django_assert_num_queries(1):
        for _ in range(11):
            next(lines)
    with django_assert_num_queries(3):  # the last finds nothing
        assert len(list(lines)) == 15


def test_file_keeps_the_language_and_time_zone_of_its_request(client):
    write()
    response = client.get(address("csv"), headers={"accept-language": "ru"})
    with translation.override("en"), override("UTC"):
        text = b"".join(response.streaming_content).decode()
    assert "Номер;Статус" in text
    assert ";ожидает;" in text
    assert f"{SmsMessage.objects.get().created_at.astimezone(KRASNOYARSK):%Y-%m-%d %H:%M}" in text


def test_texts_are_left_out_for_those_who_may_not_see_them():
    write(text="пароль Zq4711")
    reader = person("view_smsmessage", name="reader")
    for rows in (csv_of(reader), [[c.value for c in row] for row in xlsx_of(reader)]):
        assert "Text" not in rows[0]
        assert "Zq4711" not in str(rows)
    assert len(csv_of(reader, q="пароль")) == 1


def test_too_many_messages_for_an_xlsx_are_refused(client, monkeypatch):
    monkeypatch.setattr(export_files, "MAX_XLSX_ROWS", 2)
    write(3)
    response = client.get(address("xlsx"), {"status__exact": "pending"}, follow=True)
    assert response.redirect_chain == [(f"{LIST}?status__exact=pending", 302)]
    assert notices(response) == [
        "An XLSX file holds at most 2 messages. Export as CSV, or narrow the list."
    ]
    assert len(csv_of(client)) == 4


def test_without_openpyxl_no_xlsx_is_offered(client, monkeypatch):
    # A running process cannot uninstall an extra.
    monkeypatch.setattr(spreadsheet_files, "find_spec", lambda name: None)
    shown = text_of(client.get(LIST))
    assert ("Export as CSV" in shown, "Export as XLSX" in shown) == (True, False)
    assert client.get(address("xlsx")).status_code == 404


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_file_needs_its_permission_and_has_a_name(client, kind):
    assert person("add_smsmessage", name="writer").get(address(kind)).status_code == 403
    assert Client().get(address(kind)).status_code == 302
    assert client.post(address(kind)).status_code == 405
    assert client.get(address("exe")).status_code == 404
    response = client.get(address(kind))
    response.close()
    name = response["Content-Disposition"]
    assert re.fullmatch(rf'attachment; filename="sms-\d{{4}}-\d\d-\d\d\.{kind}"', name)


@pytest.mark.parametrize("query", [{"priority__exact": "abc"}, {"created_at__gte": "x"}])
def test_invalid_filter_leads_to_the_list(client, query):
    assert client.get(address("csv"), query)["Location"] == f"{LIST}?e=1"


@pytest.mark.parametrize("query", [{"text__contains": "Zq4711"}, {"tag": "\0"}])
def test_file_refuses_the_filters_that_the_list_refuses(client, query):
    assert client.get(address("csv"), query).status_code == 400
