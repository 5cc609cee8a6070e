"""docs/reference/python.rst: its examples, run from the first to the last."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from django_mobilon_sms.choices import ErrorCode, Status
from django_mobilon_sms.models import GatewayState, SmsMessage
from django_mobilon_sms.sandbox import Sandbox
from tests.support.documents import DOCS, blocks
from tests.support.messages import write

EXECUTED = ["docs/reference/python.rst"]
PAGE = DOCS / "reference/python.rst"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("kept_receivers")]


def run() -> dict[str, Any]:
    """Run the examples in one namespace, and return it."""
    namespace: dict[str, Any] = {}
    for block in blocks(PAGE):
        exec(compile(block.text, str(PAGE), "exec"), namespace)
    return namespace


def test_examples_do_what_they_assert():
    assert run()["message"].sensitive


@pytest.fixture
def send(settings, monkeypatch) -> Callable[..., SmsMessage]:
    """Send a message by a backend of the page, and return it."""
    backends = run()

    def send(backend: str, gateway: Sandbox | None = None) -> SmsMessage:
        name = f"{__name__}.{backend}"
        monkeypatch.setattr(sys.modules[__name__], backend, backends[backend], raising=False)
        settings.MOBILON_SMS_BACKEND = name
        if gateway:
            settings.MOBILON_SMS_BASE_URL = gateway.url
            settings.MOBILON_SMS_USERNAME = settings.MOBILON_SMS_PASSWORD = "sandbox"
        [message] = write()
        GatewayState.objects.try_now()
        try:
            call_command("send_sms")
        except SystemExit as error:
            send.exit_code = error.code
        message.refresh_from_db()
        return message

    return send


def test_examples_of_trouble_make_messages_unknown_and_failed(send):
    assert (send("SilentBackend").status, send.exit_code) == (Status.UNKNOWN, 4)
    assert (send("RefusingBackend").status, send.exit_code) == (Status.FAILED, 3)


def test_example_of_a_backend_sends_and_says_what_a_failure_proves(send):
    with Sandbox() as gateway:
        assert send("HttpBackend", gateway).status == Status.ACCEPTED
        assert [message.number for message in gateway.messages] == ["89135292926"]
        gateway.fault("reset_after_read")
        message = send("HttpBackend", gateway)
        assert (message.status, message.error_code) == (Status.UNKNOWN, ErrorCode.BROKEN)
        gateway.fault("http", code=401)
        message = send("HttpBackend", gateway)
        assert (message.status, message.error_code) == (Status.PENDING, ErrorCode.CREDENTIALS)
        SmsMessage.objects.cancel()
    message = send("HttpBackend", gateway)
    assert (message.status, message.error_code) == (Status.PENDING, ErrorCode.CONNECTION)
