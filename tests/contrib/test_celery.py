"""The tasks for Celery without a broker; with real ones they are in tests/endurance."""

from __future__ import annotations

import logging

import pytest
from celery import Celery
from celery.bin.celery import celery as celery_command
from click import Context
from django.core.cache import cache
from django.db import OperationalError

from django_mobilon_sms.conf import parse_duration
from django_mobilon_sms.contrib import celery as tasks
from django_mobilon_sms.contrib import jobs
from django_mobilon_sms.models import SmsMessage
from tests.support.documents import DOCS, blocks
from tests.support.messages import write
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

WAKE_UP = "django_mobilon_sms.contrib.celery.wake_up"
PAGE = DOCS / "howto/celery.rst"
EXECUTED = ["docs/howto/celery.rst"]


def test_broker_that_is_down_costs_no_message(settings, caplog):
    settings.MOBILON_SMS_WAKE_UP = WAKE_UP
    cache.clear()
    app = Celery("tests", broker=f"amqp://guest:secret@127.0.0.1:{free_port()}//")
    app.set_current()
    with caplog.at_level(logging.WARNING):
        write()
    app.close()
    assert [record.getMessage() for record in caplog.records] == [
        "wakeup.failed error=OperationalError"
    ]
    assert list(SmsMessage.objects.values_list("status")) == [("pending",)]


def test_error_of_the_database_is_raised_without_its_text(sandbox, monkeypatch):
    def fail(**options):
        raise OperationalError("Failing row contains (Код 4821, +79135292926)")

    # Because no database can be made to quote a row at a given point.
    monkeypatch.setattr(jobs, "deliver", fail)
    with pytest.raises(RuntimeError) as raised:
        tasks.send()
    assert str(raised.value) == "The database reported an error (OperationalError)."
    assert raised.value.__suppress_context__


def test_settings_in_the_docs_name_existing_tasks():
    [given] = [block for block in blocks(PAGE, "Steps") if block.language == "python"]
    named: dict[str, object] = {}
    exec(given.text, named)
    assert named["MOBILON_SMS_WAKE_UP"] == WAKE_UP
    assert named["CELERY_IMPORTS"] == [tasks.__name__]
    schedule = named["CELERY_BEAT_SCHEDULE"].values()
    ours = [tasks.send, tasks.refresh, tasks.webhooks, tasks.purge]
    assert [entry["task"] for entry in schedule] == [task.name for task in ours]
    assert parse_duration(*next(entry["args"] for entry in schedule if "args" in entry))


def test_commands_in_the_docs_are_those_of_celery():
    [given] = [block for block in blocks(PAGE, "Steps") if block.language == "shell"]
    for line in given.text.splitlines():
        program, app, package, name, *options = line.split()
        assert (program, app, package) == ("celery", "-A", "shop")
        # Parsed and not run: real workers run in tests/endurance.
        celery_command.commands[name].make_parser(Context(celery_command)).parse_args(options)
