"""Urgent messages: the slot and the share of the pace that are kept for them."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from django_mobilon_sms.choices import Priority, Status, WorkerKind
from django_mobilon_sms.contrib import jobs
from django_mobilon_sms.limits import pace
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.outbox import send_many
from django_mobilon_sms.worker import deliver
from tests.support.messages import write
from tests.support.workers import PATIENCE

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]


class BusyLine:
    """A gateway that answers its first request, and the others once an urgent message arrived.

    The urgent message is written during request number ``during``.
    """

    def __init__(self, during: int) -> None:
        self.during = during
        self.asked: list[list[str]] = []
        self.urgent_arrived = threading.Event()
        self.lock = threading.Lock()

    def come(self, exchange: Any) -> None:
        texts = sorted({message.text for message in exchange.received})
        with self.lock:
            self.asked.append(texts)
            number = len(self.asked)
        if number == self.during:
            write(1, text="1234", priority=Priority.HIGH)
            connection.close()  # of the gateway's thread
        if texts == ["1234"]:
            self.urgent_arrived.set()
        elif number > 1 and self.during > 1:
            assert self.urgent_arrived.wait(PATIENCE)


@pytest.mark.parametrize(
    "work", [deliver, lambda: jobs.send(kind=WorkerKind.TASKS, wake_up=list)], ids=["run", "task"]
)
@pytest.mark.parametrize("slots", [2, 4])
def test_urgent_message_leaves_while_every_other_request_waits(sandbox, settings, slots, work):
    settings.MOBILON_SMS_CONCURRENCY, settings.MOBILON_SMS_BATCH_SIZE = slots, 10
    send_many({"number": "+79135292926", "text": "sale"} for _ in range(100))
    line = BusyLine(during=slots)  # one was answered, and all slots but the kept one wait
    sandbox.on_request = line.come
    work()
    assert line.asked[: slots + 1] == [["sale"]] * slots + [["1234"]]
    assert SmsMessage.objects.filter(status=Status.ACCEPTED).count() == 101


def test_urgent_message_is_in_the_next_request_of_a_worker_with_one(sandbox, settings):
    settings.MOBILON_SMS_CONCURRENCY, settings.MOBILON_SMS_BATCH_SIZE = 1, 10
    send_many({"number": "+79135292926", "text": "sale"} for _ in range(50))
    line = BusyLine(during=1)
    sandbox.on_request = line.come
    deliver()
    assert line.asked[:2] == [["sale"], ["1234", "sale"]]


@pytest.mark.parametrize("limit", ["RATE", "DAILY_LIMIT"])
def test_tenth_of_each_window_is_kept_for_urgent_messages(sandbox, settings, limit):
    settings.MOBILON_SMS_RATE = "20/h" if limit == "RATE" else None
    settings.MOBILON_SMS_DAILY_LIMIT = 20 if limit == "DAILY_LIMIT" else None
    write(30)
    report = deliver()
    assert (len(sandbox.messages), report.halted) == (18, "pace")
    write(3, priority=Priority.HIGH)
    deliver()
    assert len(sandbox.messages) == 20
    assert SmsMessage.objects.filter(priority=Priority.HIGH, status=Status.PENDING).count() == 1
    # 13 wait: 12 of the list and an urgent one, which one more window takes.
    [source] = set(SmsMessage.objects.values_list("source", flat=True))
    now = report.resumes_at - timedelta(seconds=1)
    assert pace.waits({source: 13}, now)[source] == timedelta(seconds=1)
