"""A person writes a message, in a browser with and without scripts."""

from __future__ import annotations

import pytest

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.outbox import send_sms, stop
from tests.support.admin_door import ADD, EVERYTHING, LIST, become, person
from tests.support.admin_door import page as address
from tests.support.messages import write as write_messages

PASTED = "8 (913) 529-29-26; +7 913 529 29 27,\n89135292926\n8 495 123-45-67\nabc"
PANEL = "#mobilon-sms-recipients"


def settled(page):
    """Wait until the typed recipients were checked."""
    with page.expect_response("**/add/recipients/"):
        page.evaluate("document.querySelector('[name=numbers]').dispatchEvent(new Event('input'))")
    page.wait_for_selector(f"{PANEL} [data-recipients]")
    return page


def write(page, numbers, text="Ваш заказ готов"):
    page.fill("[name=numbers]", numbers)
    page.fill("[name=text]", text)


def failed(count):
    return become(write_messages(count, tag="order 7"), status=Status.FAILED)


def test_page_is_for_everybody(visit, look, picture):
    page = visit(person(*EVERYTHING), ADD, look)
    write(page, PASTED, "Ваш заказ № 5 готов — ждём вас до 21:00. Магазин «Лампа»")
    settled(page)
    assert page.violations() == []
    assert page.too_wide() == 0
    picture(page, "writing", phone=True)


def test_recipients_are_checked_while_they_are_typed(visit):
    page = visit(person("add_smsmessage"), ADD)
    write(page, PASTED)
    settled(page)
    assert page.reads(f"{PANEL} .mobilon-sms-number") == ["+79135292926", "+79135292927"]
    assert page.reads(f"{PANEL} th") == ["8 495 123-45-67", "abc"]
    assert "1 duplicate was merged: each number gets one message." in page.read(PANEL)
    assert page.read("[data-count=total]") == "2"


def test_invalid_recipient_is_removed_with_one_click(visit):
    page = visit(person("add_smsmessage"), ADD)
    write(page, PASTED)
    settled(page)
    page.click(f"{PANEL} tr:has-text('abc') button")
    page.wait_for_selector("text=abc", state="detached")
    assert page.reads(f"{PANEL} th") == ["8 495 123-45-67"]
    page.click(f"{PANEL} tr button")
    page.wait_for_selector(f"{PANEL} th", state="detached")
    kept = ["8 (913) 529-29-26", "+7 913 529 29 27", "89135292926"]
    assert page.input_value("[name=numbers]").split("\n") == kept
    assert SmsMessage.objects.count() == 0


def test_message_is_written(visit):
    page = visit(person(*EVERYTHING), ADD)
    write(page, "8 913 529-29-26")
    page.click(".submit-row [name=_save]")
    page.wait_for_url(f"**{LIST}")
    assert page.notices() == ["The message is queued."]
    assert SmsMessage.objects.get().number == "+79135292926"


def test_message_is_sent_at_once(visit, sandbox):
    page = visit(person(*EVERYTHING), ADD)
    write(page, "8 913 529-29-26")
    page.click("[name=_send_now]")
    page.wait_for_url(f"**{LIST}*/change/")
    assert page.notices() == ["The message was created.", "The gateway accepted 1 message."]
    assert [post.objects[0]["number"] for post in sandbox.posts] == ["89135292926"]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("field", ["source", "send_at_0", "tag"])
def test_enter_in_a_field_only_checks(visit, field, scripts):
    page = visit(person(*EVERYTHING), ADD, scripts=scripts)
    write(page, "\n".join(f"8913{number:07}" for number in range(1000)))
    page.locator("details summary").first.click()
    page.press(f"[name={field}]", "Enter")
    page.wait_for_selector("text=Nothing has been sent yet.")
    assert page.locator("[name=numbers]").input_value().count("8913") == 1000
    assert SmsMessage.objects.count() == 0


def test_enter_removes_no_recipient(visit):
    page = visit(person("add_smsmessage"), ADD)
    write(page, PASTED)
    settled(page)
    page.press("[name=source]", "Enter")
    page.wait_for_selector(".errornote")
    assert page.input_value("[name=numbers]").split("\n") == PASTED.split("\n")


def test_stopped_number_and_duplicate_are_shown_while_one_types(visit, look, settings):
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 600
    send_sms("+79135292927", "Ваш заказ готов")
    stop(["+79135292926", "+79135292928"])
    page = visit(person(*EVERYTHING), ADD, look)
    write(page, "89135292926; 89135292927\n89135292928\n89135292929\nabc")
    settled(page)
    page.wait_for_selector(f"{PANEL} tr >> nth=3")
    assert page.reads(f"{PANEL} th") == ["abc", "+79135292926", "+79135292927", "+79135292928"]
    assert page.violations() == []
    assert page.too_wide() == 0
    page.fill("[name=text]", "Другой текст")
    page.wait_for_selector(f"{PANEL} tr >> nth=3", state="detached")
    page.locator(f"{PANEL} button[name=_remove]").last.click()
    page.wait_for_selector(f"{PANEL} th:has-text('+7913')", state="detached")
    kept = ["89135292927", "89135292929", "abc"]
    assert page.input_value("[name=numbers]").split("\n") == kept


def test_more_than_twenty_are_confirmed_on_a_page_of_their_own(visit, look):
    page = visit(person(*EVERYTHING), ADD, look)
    numbers = "\n".join(f"8913529{number:04}" for number in range(25))
    write(
        page,
        numbers,
        "Ваш заказ готов. Ждём вас до 21:00 в магазине «Лампа» на Ленина, 5. Спасибо!",
    )
    page.fill("[name=send_at_0]", "31.12.2030" if look.language == "ru" else "2030-12-31")
    page.fill("[name=send_at_1]", "09:00")
    page.click(".submit-row [name=_save]")
    page.wait_for_selector("[name=confirmed]", state="attached")
    assert page.violations() == []
    assert page.too_wide() == 0
    page.click(".submit-row [name=_check]")
    page.wait_for_selector("[name=numbers]")
    assert page.input_value("[name=numbers]") == numbers
    page.click(".submit-row [name=_save]")
    page.click(".submit-row [name=_save]")
    page.wait_for_url(f"**{LIST}")
    assert SmsMessage.objects.count() == 25


def test_copy_opens_the_form_filled_in(visit, look):
    [message] = failed(1)
    page = visit(person(*EVERYTHING), address(message), look)
    page.click(".mobilon-sms-tools a")
    page.wait_for_selector(f"{PANEL} [data-recipients]")
    assert page.input_value("[name=numbers]") == "+79135292926"
    assert page.input_value("[name=tag]") == "order 7"
    assert page.violations() == []
    assert page.too_wide() == 0
    assert SmsMessage.objects.count() == 1
    page.click(".submit-row [name=_save]")
    page.wait_for_selector(".messagelist")
    assert SmsMessage.objects.count() == 2


def test_sending_again_is_confirmed(visit, look):
    failed(3)
    page = visit(person(*EVERYTHING), LIST, look)
    page.check("#action-toggle")
    page.select_option("select[name=action]", "copy")
    page.click("button[name=index]")
    page.wait_for_selector("[name=_confirm]")
    assert page.violations() == []
    assert page.too_wide() == 0
    assert SmsMessage.objects.count() == 3
    page.click("[name=_confirm]")
    page.wait_for_selector(".messagelist")
    assert SmsMessage.objects.count() == 6


@pytest.fixture
def scriptless(visit):
    """The page in a browser that runs no script."""
    return visit(person(*EVERYTHING), ADD, scripts=False)


def test_without_scripts_everything_is_done_on_submit(scriptless):
    page = scriptless
    write(page, PASTED, "Order «7»")
    page.click(".submit-row [name=_check]")
    assert page.read("[data-count=alphabet]") == "UCS-2: any letters"
    page.click("[name=_plain]")
    assert page.input_value("[name=text]") == 'Order "7"'
    page.click(f"{PANEL} tr:has-text('abc') button")
    assert page.reads(f"{PANEL} th") == ["8 495 123-45-67"]
    page.click(f"{PANEL} tr button")
    page.click(".submit-row [name=_save]")
    assert page.notices() == ["2 messages are queued."]
    assert sorted(SmsMessage.objects.values_list("text", flat=True)) == ['Order "7"'] * 2
