"""The check for django-health-check, through the package's own view at the address of the docs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client

from django_mobilon_sms.choices import ErrorCode, WorkerKind
from django_mobilon_sms.models import GatewayState, Heartbeat, SmsMessage, db_now
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

MINUTE = timedelta(minutes=1)


@pytest.fixture
def health(shop):
    """Ask the address of the page; return the code and the errors."""

    def health() -> tuple[int, str]:
        reply = Client().get("/health/sms?format=json")
        [answer] = reply.json().values()
        return reply.status_code, answer

    return health


def wait_for(length: timedelta) -> SmsMessage:
    [message] = write()
    SmsMessage.objects.filter(pk=message.pk).change(due_at=db_now() - length)
    return message


def test_all_is_well_while_messages_go_out(health):
    Heartbeat.objects.beat(WorkerKind.LOOP, "h")
    wait_for(14 * MINUTE)
    assert health() == (200, "OK")


def test_nobody_sends(health):
    wait_for(MINUTE)
    assert health() == (500, "Unavailable: No worker has run yet. 1 message waits.")


def test_a_message_waits_too_long(health):
    Heartbeat.objects.beat(WorkerKind.LOOP, "h")
    wait_for(16 * MINUTE)
    assert health() == (500, "Unavailable: A message has waited for 16m.")


def test_unknown_messages_wait_for_a_decision(health):
    [message] = write()
    SmsMessage.objects.filter(pk=message.pk).hold(ErrorCode.TIMEOUT)
    assert health() == (500, "Warning: Unknown messages wait for a decision: 1.")


def test_unreadable_database_is_an_error_without_its_text(health, caplog):
    with connection.schema_editor() as editor:
        editor.delete_model(GatewayState)
    try:
        code, error = health()
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(GatewayState)
    assert code == 500
    assert error.startswith("Unavailable: The database reported an error (")
    assert "gatewaystate" not in error + caplog.text
