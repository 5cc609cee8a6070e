"""docs/reference/python.rst: its examples, run from the first to the last."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.core.management import call_command

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.signals import status_changed
from tests.support.documents import DOCS, blocks
from tests.support.messages import write

EXECUTED = ["docs/reference/python.rst"]
PAGE = DOCS / "reference/python.rst"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _receivers():
    before = list(status_changed.receivers)
    yield
    status_changed.receivers = before
    status_changed.sender_receivers_cache.clear()


def run() -> dict[str, Any]:
    """Run the examples in one namespace, and return it."""
    namespace: dict[str, Any] = {}
    for block in blocks(PAGE):
        exec(compile(block.text, str(PAGE), "exec"), namespace)
    return namespace


def test_examples_do_what_they_assert():
    assert run()["message"].sensitive


def test_example_of_a_backend_sends_and_reports(settings, monkeypatch):
    backend = run()["ObligingBackend"]
    monkeypatch.setattr(sys.modules[__name__], "ObligingBackend", backend, raising=False)
    settings.MOBILON_SMS_BACKEND = f"{__name__}.ObligingBackend"
    [message] = write()
    for expected in (Status.ACCEPTED, Status.SENT):
        call_command("send_sms")
        message.refresh_from_db()
        assert message.status == expected
        SmsMessage.objects.check_soon()
