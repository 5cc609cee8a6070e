"""What the recordings of the docs show: a message is written, and ``make demo`` runs."""

from __future__ import annotations

import os
import subprocess
import sys
from html import escape
from pathlib import Path

import pytest

from django_mobilon_sms.models import SmsMessage
from tests.browser.conftest import PICTURES
from tests.browser.recording import SIZE, Recording
from tests.support.admin_door import ADD, EVERYTHING, person

DEMO = Path(__file__).parents[2] / "example_project/demo.py"
NUMBERS = ("8 (913) 529-29-26\n", "+7 913 529 29 27\n", "89135292926\n")
TEXT = "Ваш заказ готов. Ждём вас до 21:00"
TERMINAL = """<body style="margin:0;background:#17212b;color:#e6edf3"><pre style="margin:0;
padding:20px 24px;font:14px/20px monospace;white-space:pre-wrap">%s</pre></body>"""


def save(recording, name):
    """Write the recording, if ``make screenshots`` asked for it."""
    if PICTURES:
        recording.save(Path(PICTURES) / name)


def test_message_is_written_from_its_recipients_to_the_list(visit):
    page, film = visit(person(*EVERYTHING), ADD), Recording()
    page.set_viewport_size(SIZE)
    page.evaluate("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
    page.reload()
    film.frame(page, "A message is written in the admin.")
    for number in NUMBERS:
        with page.expect_response("**/add/recipients/"):
            page.locator("[name=numbers]").press_sequentially(number)
        page.wait_for_selector("#mobilon-sms-recipients [data-recipients]")
        film.frame(page, "Numbers in any usual format are checked at once.", lasts=900)
    film.frame(page, "A number that is there twice gets one message.", lasts=2000)
    for end in (16, len(TEXT)):
        page.fill("[name=text]", TEXT[:end])
        page.evaluate("scrollTo(0, 300)")
        film.frame(page, "The parts are counted: they are what is paid for.", lasts=1200)
    page.locator("[name=_save]").scroll_into_view_if_needed()
    film.frame(page, "Send.", lasts=1200)
    page.click("[name=_save]")
    page.wait_for_selector("#result_list")
    film.frame(page, "Both are in the list. The worker sends them.", lasts=3500)
    assert SmsMessage.objects.count() == 2
    save(film, "writing.gif")


def test_demo_prints_what_its_recording_shows(browser):
    if not PICTURES:
        pytest.skip("make demo has a test of its own; only make screenshots records it.")
    page, film, printed = browser.new_page(viewport=SIZE), Recording(), ""
    command = [sys.executable, "-u", str(DEMO)]
    own = ("DATABASE_URL", "DJANGO_", "MOBILON_SMS_")  # the example has its own settings
    plain = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain) as demo:
        for line in demo.stdout:
            printed += line
            if line.strip():
                page.set_content(TERMINAL % escape(f"$ make demo\n{printed}"))
                page.evaluate("scrollTo(0, document.body.scrollHeight)")
                film.frame(page, lasts=500)
    assert demo.returncode == 0
    film.durations[-1] = 5000
    save(film, "demo.gif")
