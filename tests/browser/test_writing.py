"""A person writes a message, in a browser with and without scripts."""

from __future__ import annotations

import pytest

from django_mobilon_sms.models import SmsMessage
from tests.support.admin_door import ADD, EVERYTHING, LIST, person

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
    page.click("[name=_save]:visible")
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


def test_enter_in_a_field_sends_although_a_recipient_could_be_removed(visit):
    page = visit(person("add_smsmessage"), ADD)
    write(page, PASTED)
    settled(page)
    page.press("[name=source]", "Enter")
    page.wait_for_selector(".errornote")
    assert page.input_value("[name=numbers]").split("\n") == PASTED.split("\n")


@pytest.fixture
def scriptless(visit):
    """The page in a browser that runs no script."""
    return visit(person(*EVERYTHING), ADD, scripts=False)


def test_without_scripts_everything_is_done_on_submit(scriptless):
    page = scriptless
    write(page, PASTED, "Order «7»")
    page.click("[name=_check]")
    assert page.read("[data-count=alphabet]") == "UCS-2: any letters"
    page.click("[name=_plain]")
    assert page.input_value("[name=text]") == 'Order "7"'
    page.click(f"{PANEL} tr:has-text('abc') button")
    assert page.reads(f"{PANEL} th") == ["8 495 123-45-67"]
    page.click(f"{PANEL} tr button")
    page.click("[name=_save]:visible")
    assert page.notices() == ["2 messages are queued."]
    assert sorted(SmsMessage.objects.values_list("text", flat=True)) == ['Order "7"'] * 2
