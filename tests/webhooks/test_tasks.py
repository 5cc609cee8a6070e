"""The tasks of Celery and of Django's Tasks deliver like a run of the worker."""

from __future__ import annotations

import signal
import threading

import pytest
from django.db import OperationalError

from django_mobilon_sms.contrib import celery, django_tasks, jobs
from tests.support.messages import write
from tests.support.workers import PATIENCE
from tests.webhooks.conftest import settle

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("task", [celery.webhooks, django_tasks.webhooks.call])
def test_task_delivers_what_is_due(receiver, task):
    [message] = write()
    settle()
    assert task() is None
    assert receiver.of(message.guid) == ["pending"]


def test_task_ends_early_at_a_signal(receiver):
    write(40)
    settle()
    asked = threading.Event()

    def answer(heard):
        if not asked.is_set():
            asked.set()
            signal.raise_signal(signal.SIGUSR1)
        return 204

    receiver.answer = answer
    jobs.deliver_webhooks(signal.SIGUSR1)
    assert asked.wait(PATIENCE)
    assert len(receiver.heard) < 40
    jobs.deliver_webhooks()
    assert len(receiver.taken) == 40


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
