"""A person finds messages, reads one, decides about some and reads the reports, in a browser."""

from __future__ import annotations

import csv
import io

import pytest

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import SmsMessage
from tests.browser.desk import day_at_the_desk
from tests.support.admin_door import (
    DECIDE,
    EVERYTHING,
    LIST,
    REPORTS,
    person,
    unknown,
)
from tests.support.admin_door import (
    page as address,
)
from tests.support.messages import write

ACTION = "select[name=action]"


@pytest.fixture
def visitor(visit):
    """Open pages of a full desk, with all permissions."""
    day_at_the_desk()
    client = person(*EVERYTHING)
    return lambda place, *look: visit(client, place, *look)


def for_everybody(page):
    assert page.violations() == []
    assert page.too_wide() == 0


# The list


def test_list_is_for_everybody(visitor, look, picture):
    page = visitor(LIST, look)
    for_everybody(page)
    rows = "#result_list tbody tr"
    last = {"wide": f"{rows}:nth-child(15)", "narrow": f"{rows}:nth-child(5)"}[look.width]
    picture(page, "list", phone=True, last=last)


def test_only_what_is_possible_for_a_chosen_row_is_offered(visit):
    write(2)
    unknown(1)
    page = visit(person(*EVERYTHING), LIST)

    def offered():
        script = "options => options.filter(o => o.value && !o.disabled).map(o => o.value)"
        return page.locator(f"{ACTION} option").evaluate_all(script)

    def settled(option):
        page.wait_for_selector(f"{ACTION} {option}", state="attached")

    everything = offered()
    assert everything == ["send_now", "refresh", "cancel", "copy", "decide", "delete_selected"]
    boxes = page.locator("input.action-select")
    boxes.nth(0).check()
    settled("[value=cancel]:disabled")
    assert offered() == ["decide"]
    boxes.nth(1).check()
    settled("[value=cancel]:enabled")
    assert offered() == ["send_now", "cancel", "decide"]
    page.select_option(ACTION, "decide")
    boxes.nth(0).uncheck()
    settled("[value=decide]:disabled")
    assert (page.input_value(ACTION), offered()) == ("", ["send_now", "cancel"])
    boxes.nth(1).uncheck()
    settled("[value=decide]:enabled")
    assert offered() == everything


def test_list_is_narrowed_by_a_typed_tag_and_exported(visitor):
    page = visitor(f"{LIST}?status__exact=sent")
    page.click(".mobilon-sms-filters > details > summary")
    page.fill("input[name=tag]", "акция #7")
    page.press("input[name=tag]", "Enter")
    page.wait_for_url("**tag=*")
    assert page.locator("#result_list tbody tr").count() == 2
    with page.expect_download() as download:
        page.click("text=Export as CSV")
    rows = list(csv.reader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert ({row[5] for row in rows[1:]}, len(rows)) == ({"акция #7"}, 3)


# One message


def test_message_is_for_everybody(visit, look, picture):
    day_at_the_desk()
    client, message = person(*EVERYTHING), SmsMessage.objects.filter(status=Status.UNKNOWN)[0]
    # In the language of the page: what was done is written down as it was said.
    data = {"choice": "resend", "pks": message.pk}
    client.post(DECIDE, data, headers={"accept-language": look.language})
    page = visit(client, address(message), look)
    for_everybody(page)
    assert len(page.reads(".mobilon-sms-timeline li")) == 5
    picture(page, "message")


# Deciding


def test_page_to_decide_on_is_for_everybody(visitor, look, picture):
    page = visitor(DECIDE, look)
    for_everybody(page)
    picture(page, "decide")


def test_one_decides_from_the_start_page(visitor):
    page = visitor("/admin/")
    page.click("text=Decide about all")
    page.wait_for_selector("text=Decide about 3 messages")
    page.click("input[type=submit][value=Decide]")
    assert page.url.endswith(DECIDE)  # the browser asks for a choice
    page.check("text=Give up")
    page.click("input[type=submit][value=Decide]")
    page.wait_for_selector(".messagelist")
    assert page.notices() == ["3 messages were given up."]
    assert SmsMessage.objects.filter(resolution="given_up").count() == 3
    page.goto("/admin/")
    assert page.locator("text=nobody can prove").count() == 0


def test_one_decides_about_a_chosen_row_with_the_keyboard(visit):
    unknown(2)
    page = visit(person(*EVERYTHING), f"{LIST}?decision=none")
    page.locator("input.action-select").nth(0).check()
    page.select_option(ACTION, "decide")
    page.press("button[name=index]", "Enter")
    page.wait_for_selector("text=Decide about 1 message")
    page.focus("[name=choice][value=resend]")
    for key in ("ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector(".messagelist")
    assert page.notices() == ["1 message counts as sent."]
    assert page.url.endswith("?decision=none")


# Reports


def test_report_is_for_everybody(visitor, look, picture):
    page = visitor(REPORTS, look)
    for_everybody(page)
    assert page.locator(".mobilon-sms-chart svg").count() == 2
    picture(page, "reports")


def test_range_is_chosen_and_a_wrong_one_is_an_error(visitor):
    page = visitor(REPORTS)
    page.click("text=24 hours")
    page.wait_for_selector("[aria-current]:has-text('24 hours')")
    page.fill("[name=start]", "2025-12-01")
    page.fill("[name=end]", "2026-12-31")
    page.click(".mobilon-sms-periods form button")
    page.wait_for_selector("text=Choose at most 366 days, not 396.")


def test_sending_is_paused_from_the_report(visitor):
    page = visitor(f"{REPORTS}?period=day")
    page.click("text=Pause sending")
    page.wait_for_selector("text=Resume sending")
    assert page.url.endswith("?period=day")


def test_start_page_is_for_everybody(visitor, look):
    for_everybody(visitor("/admin/", look))
