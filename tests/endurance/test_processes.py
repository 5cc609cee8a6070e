"""Several `manage.py send_sms` processes at once on the database under test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
from django.db import connection

from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from django_mobilon_sms.outbox import send_many
from django_mobilon_sms.worker import deliver, run
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


def test_messages_of_a_killed_worker_are_settled_during_a_long_run_of_another(sandbox, monkeypatch):
    monkeypatch.setattr(run, "SWEEP_SECONDS", 0.0)
    write_many(10)
    killed = SmsMessage.objects.filter(pk__in=list(SmsMessage.objects.values_list("pk", flat=True)))
    sandbox.latency = 30
    first = start(sandbox, "--batch-size=10")
    wait_until(lambda: sandbox.messages)
    first.kill()
    first.communicate()
    sandbox.latency = 0
    seen = []

    def come(exchange):
        """End the lease in the first request of the other worker, and look in its third."""
        if len(sandbox.posts) == 2:
            SmsBatch.objects.filter(pk__in=killed.values("batch")).update(lease_until=db_now())
        if len(sandbox.posts) == 4:
            seen.extend(killed.values_list("status", "error_code").distinct())
        connection.close()  # of the gateway's thread

    write_many(30)
    sandbox.on_request = come
    report = deliver(batch_size=10, concurrency=1)
    assert seen == [("unknown", "lost")]
    assert (report.statuses, report.exit_code) == ({"accepted": 30, "unknown": 10}, 4)


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
