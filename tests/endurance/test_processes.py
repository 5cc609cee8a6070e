"""Several `manage.py send_sms` processes at once on the database under test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from django_mobilon_sms.models import SmsBatch, SmsMessage
from django_mobilon_sms.outbox import send_many
from tests.support.workers import ROOT, database_url, wait_until

pytestmark = [
    pytest.mark.databases,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]


def start(sandbox, *options: str) -> subprocess.Popen[str]:
    """Start a worker on the test database."""
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "MOBILON_SMS_BASE_URL": sandbox.url,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "django", "send_sms", "--settings=tests.settings", *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def write_many(count):
    send_many({"number": "+79135292926", "text": f"Заказ {n}"} for n in range(count))


@pytest.mark.parametrize("processes", [2, 8])
def test_workers_at_once_send_every_message_once(sandbox, processes):
    write_many(400)
    workers = [start(sandbox, "--batch-size=10") for _ in range(processes)]
    ends = [(worker.communicate(timeout=120), worker.returncode) for worker in workers]
    assert [code for _output, code in ends] == [0] * processes, ends
    copies = Counter(message.guid for message in sandbox.messages)
    assert copies == {str(guid): 1 for guid in SmsMessage.objects.values_list("guid", flat=True)}
    assert set(SmsMessage.objects.values_list("status", flat=True)) <= {"accepted", "sent"}


def test_killed_worker_leaves_its_messages_unknown_and_nothing_is_sent_twice(sandbox):
    write_many(10)
    sandbox.latency = 30
    worker = start(sandbox, "--batch-size=10")
    wait_until(lambda: sandbox.messages)
    worker.kill()
    worker.communicate()
    sandbox.latency = 0
    SmsBatch.objects.update(lease_until="2020-01-01T00:00:00Z")
    second = start(sandbox, "--no-refresh")
    second.communicate(timeout=60)
    assert second.returncode == 4
    assert set(SmsMessage.objects.values_list("status", "error_code")) == {("unknown", "lost")}
    assert len(sandbox.messages) == 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_worker_that_is_stopped_records_the_request_under_way(sandbox, number):
    write_many(20)
    sandbox.latency = 1
    worker = start(sandbox, "--loop", "--interval=0.1", "--batch-size=10")
    wait_until(lambda: sandbox.posts)
    worker.send_signal(number)
    worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert Counter(SmsMessage.objects.values_list("status", flat=True)) == {
        "accepted": 10,
        "pending": 10,
    }
