"""The tasks of Celery and of Django's Tasks deliver like a run of the worker."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from django.db import OperationalError

from django_mobilon_sms.contrib import celery, django_tasks, jobs
from django_mobilon_sms.webhooks.delivery import CONCURRENCY
from tests.support.messages import write
from tests.webhooks.conftest import settle

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("task", [celery.webhooks, django_tasks.webhooks.call])
def test_task_delivers_what_is_due(receiver, task):
    [message] = write()
    settle()
    assert task() is None
    assert receiver.of(message.guid) == ["pending"]


@pytest.mark.slow
def test_task_ends_early_at_a_signal(receiver):
    write(20)
    settle()
    asked = threading.Event()

    def answer(heard):
        if not asked.is_set():
            asked.set()
            os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(3)  # much longer than the main thread takes to see the signal
        return 204

    receiver.answer = answer
    jobs.deliver_webhooks(signal.SIGUSR1)
    assert len(receiver.taken) == CONCURRENCY
    receiver.answer = lambda heard: 204
    jobs.deliver_webhooks()
    assert len(receiver.taken) == 20


def test_task_does_nothing_without_consumers(settings):
    settings.MOBILON_SMS_WEBHOOKS = None
    jobs.deliver_webhooks()


def test_error_of_the_database_is_logged_without_its_text(receiver, monkeypatch, caplog):
    def fail(*args, **options):
        raise OperationalError("Failing row contains (Код 4821, +79135292926)")

    write()
    # Because no database can be made to quote a row at a given point.
    monkeypatch.setattr("django_mobilon_sms.webhooks.threads.deliver", fail)
    jobs.deliver_webhooks()
    assert caplog.messages == ["webhook.interrupted consumer=shop error=OperationalError"]
