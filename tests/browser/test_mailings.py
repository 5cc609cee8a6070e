"""A person sends to a list, in a browser."""

from __future__ import annotations

import pytest

from django_mobilon_sms.models import SmsMailing, SmsMessage
from tests.support.admin_door import EVERYTHING, person
from tests.support.messages import write

MAILINGS = "/admin/mobilon_sms/smsmailing/"
ADD = f"{MAILINGS}add/"
LIST = """Телефон;Имя;Данные
8 913 529-29-26;Анна;1001
+7 913 529 29 27;Пётр;1002
89135292926;Анна;1001
89135292928;Мария;1003
8 495 123-45-67;Ольга;1004
89135292929;;1005
"""
TEXT = "{{ИМЯ}}, ваш заказ {{ДАННЫЕ}} готов. Ждём вас до 21:00"


@pytest.fixture
def file():
    return {"name": "список.csv", "mimeType": "text/csv", "buffer": LIST.encode("cp1251")}


def upload(page, file):
    page.fill("[name=name]", "Готовые заказы")
    page.set_input_files("[name=file]", file)
    page.fill("[name=text]", TEXT)
    page.click(".submit-row [name=_save]")
    page.wait_for_url(f"**{MAILINGS}*/change/")


def test_form_is_for_everybody(visit, look, picture):
    page = visit(person(*EVERYTHING), ADD, look)
    page.fill("[name=name]", "Готовые заказы")
    page.fill("[name=text]", TEXT)
    assert page.read("[data-count=segments]") == "1"
    assert page.violations() == []
    assert page.too_wide() == 0
    picture(page, "list-form")


def test_preview_is_for_everybody(visit, look, picture, file):
    write(number="+79135292927", text="Пётр, ваш заказ 1002 готов. Ждём вас до 21:00")
    page = visit(person(*EVERYTHING), ADD, look)
    upload(page, file)
    assert page.violations() == []
    assert page.too_wide() == 0
    # Like the captions of Django's own modules, which have a background.
    padding = "all => all.map(caption => getComputedStyle(caption).paddingLeft)"
    assert page.eval_on_selector_all(".mobilon-sms-mailing caption", padding) == ["8px", "8px"]
    picture(page, "list-preview")


def test_written_list_is_for_everybody(visit, look, picture, file):
    page = visit(person(*EVERYTHING), ADD, look)
    upload(page, file)
    page.click(".submit-row [type=submit]")
    page.wait_for_selector(".messagelist")
    assert page.violations() == []
    assert page.too_wide() == 0
    picture(page, "list-written")
    page.goto(MAILINGS)
    assert page.violations() == []


def test_list_is_uploaded_corrected_confirmed_and_cancelled(visit, file):
    page = visit(person(*EVERYTHING), ADD)
    upload(page, file)
    assert SmsMessage.objects.count() == 0
    page.click("text=Go back and correct")
    page.wait_for_url(f"**{ADD}?corrects=*")
    page.fill("[name=text]", "Ждём вас, {{ИМЯ|друг}}!")
    page.click(".submit-row [name=_save]")
    page.wait_for_selector("text=Ждём вас, друг!")
    page.click("text=Confirm: send 4 messages")
    page.wait_for_selector(".messagelist")
    assert page.notices() == ["4 messages are queued."]
    assert SmsMailing.objects.count() == 1
    page.click("[type=submit][value='Cancel 4 pending messages']")
    page.wait_for_selector("text=Go back")
    page.click("[type=submit][value='Cancel 4 pending messages']")
    page.wait_for_selector("text=4 messages were cancelled.")
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"cancelled"}


def test_rows_with_errors_are_downloaded(visit, file):
    page = visit(person(*EVERYTHING), ADD)
    upload(page, file)
    with page.expect_download() as download:
        page.click("text=Download all 2 rows with errors")
    lines = download.value.path().read_text("utf-8-sig").splitlines()
    assert [line.partition(";")[0] for line in lines] == ["Line", "6", "7"]


def test_sample_is_downloaded_and_uploaded_as_it_is(visit, tmp_path):
    page = visit(person("add_smsmessage"), ADD)
    with page.expect_download() as download:
        page.click(".mobilon-sms-samples >> text=XLSX")
    sample = tmp_path / "sample.xlsx"
    download.value.save_as(sample)
    upload(page, sample)
    page.wait_for_selector("text=Anna, ваш заказ order 1001 готов")
