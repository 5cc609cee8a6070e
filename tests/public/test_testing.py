"""The backends for a project's own tests and development."""

from __future__ import annotations

from datetime import datetime, timezone
from uuid import uuid4

import pytest

from django_mobilon_sms.gateway import OutgoingMessage, SendResult
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.testing import ConsoleBackend, MemoryBackend
from django_mobilon_sms.worker.configured_backend import get_backend
from tests.support.messages import write

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def memory(settings, sandbox):
    """The memory backend, beside a gateway that must hear nothing."""
    settings.MOBILON_SMS_BACKEND = "django_mobilon_sms.testing.MemoryBackend"
    MemoryBackend.clear()
    yield MemoryBackend
    MemoryBackend.clear()
    assert sandbox.exchanges == []


def rows(*fields):
    return list(SmsMessage.objects.order_by("pk").values_list(*fields))


def test_memory_backend_keeps_what_would_be_sent(memory, worker, settings):
    settings.MOBILON_SMS_USERNAME = settings.MOBILON_SMS_PASSWORD = ""
    [message] = write(number="8 (913) 529-29-26", text="Заказ готов")
    assert worker("--no-refresh") == (0, "Messages: 1 accepted\n")
    assert memory.sent == [
        OutgoingMessage(message.guid, "89135292926", "Заказ готов", "89234560000")
    ]
    [(status, gateway_id)] = rows("status", "gateway_id")
    assert (status, len(gateway_id)) == ("accepted", 24)


def test_memory_backend_gives_every_message_an_id_of_its_own(memory, worker):
    write(5)
    worker()
    assert len({gateway_id for (gateway_id,) in rows("gateway_id")}) == 5
    assert len(memory.sent) == 5


def test_memory_backend_reports_messages_as_sent(memory):
    before = datetime.now(timezone.utc)
    [one, two] = get_backend().status(["a", "b"])
    assert (one.id, one.status, two.id) == ("a", 1, "b")
    assert before <= one.sent_at <= datetime.now(timezone.utc)


def test_memory_is_shared_until_it_is_cleared(memory, worker):
    write(2)
    worker()
    assert get_backend().sent is memory.sent
    MemoryBackend.clear()
    assert memory.sent == []


def test_console_backend_prints_and_keeps_nothing(memory, settings, worker, capsys):
    settings.MOBILON_SMS_BACKEND = "django_mobilon_sms.testing.ConsoleBackend"
    write(text="Заказ\nготов")
    assert worker("--no-refresh") == (0, "Messages: 1 accepted\n")
    assert capsys.readouterr().out == "SMS to 89135292926 from 89234560000: Заказ\nготов\n"
    assert memory.sent == []


def test_backends_need_no_settings():
    message = OutgoingMessage(uuid4(), "89135292926", "текст", "89234560000")
    for backend in (MemoryBackend(), ConsoleBackend()):
        [result] = backend.send([message])
        assert result == SendResult(message.guid, 0, result.id)
    MemoryBackend.clear()
