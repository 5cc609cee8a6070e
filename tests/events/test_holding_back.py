"""For how long an open transaction has held the feed back."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from django_mobilon_sms.events import held_back
from django_mobilon_sms.management.commands.sms_status import lines
from django_mobilon_sms.operations import observe
from tests.support.lock_waits import held
from tests.support.messages import write
from tests.support.workers import wait_until

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]


def status() -> dict[str, object]:
    output = StringIO()
    call_command("sms_status", "--json", stdout=output)
    return json.loads(output.getvalue())


def test_open_transaction_holds_the_feed_back_until_it_ends():
    if connection.vendor == "sqlite":
        pytest.skip("no reader waits for SQLite's only writer")
    with held(write) as commit:
        wait_until(lambda: (held_back() or timedelta()) > timedelta(seconds=1))
        shown = status()["events_held_back"]
        assert isinstance(shown, float)
        assert shown > 1
        commit()
    wait_until(lambda: held_back() is None or held_back() < timedelta(seconds=1))


def test_nothing_is_held_back_on_sqlite():
    if connection.vendor != "sqlite":
        pytest.skip("others have many writers")
    with held(write) as commit:
        assert status()["events_held_back"] is None
        commit()


def test_person_reads_of_a_long_transaction_and_of_dropped_events(monkeypatch):
    long = {"held_back": lambda: timedelta(minutes=7)}
    monkeypatch.setattr("django_mobilon_sms.operations.monitoring.events", type("", (), long))
    assert "An open transaction has held the events back for 7m." in list(lines(observe()))


def test_feed_that_is_switched_off_is_not_asked_about(settings, django_assert_num_queries):
    settings.MOBILON_SMS_EVENTS = None
    snapshot = observe()
    assert (snapshot.events_held_back, snapshot.events_dropped) == (None, 0)
