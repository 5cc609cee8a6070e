"""docs/tutorial.rst: every step, followed with the built wheel and nothing else."""

from __future__ import annotations

import math
import os
import re
import time
from pathlib import Path

import pytest
import requests

from tests.support.documents import DOCS, ROOT, blocks, document
from tests.support.stranger import Stranger

EXECUTED = ["docs/tutorial.rst"]
TUTORIAL = DOCS / "tutorial.rst"
SECONDS = ROOT / "benchmarks/results/tutorial.txt"
PROMPT = 30
SETUP = ("A new project", "The order", "Its page", "Three terminals")


def press_ready(page: str) -> str:
    """Press the button of an order's page, and return the page after it."""
    with requests.Session() as browser:
        form = browser.get(page, timeout=PROMPT)
        [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
        reply = browser.post(page, {"csrfmiddlewaretoken": token}, timeout=PROMPT)
    assert "<button>" in form.text
    return sms(reply.text)


def sms(html: str) -> str:
    """Return the status of the SMS on an order's page."""
    [status] = re.findall(r"<p>SMS to \+7913529292[67]: (.+)</p>", html)
    return status


def read(page: str) -> str:
    """Return an order's page."""
    return requests.get(page, timeout=PROMPT).text


def messages_in_admin(site: str) -> str:
    """Log in as the page says, and return the list of messages."""
    with requests.Session() as browser:
        login = browser.get(f"{site}admin/login/", timeout=PROMPT).text
        [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', login)
        fields = {"username": "admin", "password": "admin", "csrfmiddlewaretoken": token}
        browser.post(f"{site}admin/login/", fields, timeout=PROMPT)
        return browser.get(f"{site}admin/mobilon_sms/smsmessage/", timeout=PROMPT).text


def follow(stranger: Stranger) -> None:
    """Follow the page; what its prose asks for, such as pressing a button, is done here."""
    site = stranger.here("http://127.0.0.1:8000/")
    for section in SETUP:
        stranger.follow(blocks(TUTORIAL, section))

    accepted, sent = blocks(TUTORIAL, "The first message")
    assert press_ready(f"{site}orders/1/") in ("pending", "accepted")
    stranger.follow([accepted])
    assert sms(read(f"{site}orders/1/")) in ("accepted", "sent")
    stranger.follow([sent])
    assert sms(read(f"{site}orders/1/")) == "sent"
    assert "Order 1 is ready" in read(stranger.here("http://127.0.0.1:8030/"))
    assert "Order 1 is ready" in messages_in_admin(site)

    stranger.stop("sms_sandbox")
    assert press_ready(f"{site}orders/2/") == "pending"
    stranger.follow(blocks(TUTORIAL, "When the gateway is down"))
    assert sms(read(f"{site}orders/2/")) == "sent"

    stranger.follow(blocks(TUTORIAL, "A test of your own"))


@pytest.mark.packaging
@pytest.mark.timeout(600)
def test_tutorial_leads_a_stranger_from_nothing_to_a_tested_shop(
    wheel: Path, tmp_path: Path
) -> None:
    begun = time.monotonic()
    stranger = Stranger(tmp_path, wheel)
    try:
        follow(stranger)
    finally:
        stranger.leave()
    if kept := os.environ.get("TUTORIAL_SECONDS"):
        Path(kept).write_text(f"{time.monotonic() - begun:.0f}\n")


def test_every_code_block_is_in_a_section_that_is_followed() -> None:
    followed = (*SETUP, "The first message", "When the gateway is down", "A test of your own")
    assert sum(len(blocks(TUTORIAL, section)) for section in followed) == len(blocks(TUTORIAL))


def test_minutes_on_the_page_are_those_of_the_last_measurement() -> None:
    minutes = math.ceil(int(SECONDS.read_text()) / 60)
    [said] = re.findall(r"take less than\s(\d+) minutes", document(TUTORIAL).astext())
    assert int(said) == minutes
