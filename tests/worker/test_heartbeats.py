"""The heartbeat of a worker: when it is written, and what it must not disturb."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection

from django_mobilon_sms.choices import WorkerKind
from django_mobilon_sms.contrib import celery, django_tasks
from django_mobilon_sms.models import Heartbeat, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.signals import status_changed
from django_mobilon_sms.worker import beat, deliver, heartbeats, refresh, run, send_now
from django_mobilon_sms.worker.statuses import queries
from tests.support.messages import write
from tests.support.workers import wait_until

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

HERE = heartbeats.host_name()
ALIVE = partial(beat, WorkerKind.LOOP)


def beats():
    return list(Heartbeat.objects.order_by("pk").values_list("host", "kind"))


def last_beat():
    return Heartbeat.objects.values_list("beat_at", flat=True).first()


def date_back(length):
    Heartbeat.objects.update(beat_at=db_now() - length)


@pytest.fixture
def often(monkeypatch):
    """Each chance to write a heartbeat is taken, and comes soon."""
    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 0)
    for module in (run, queries):
        monkeypatch.setattr(module, "BEAT_SECONDS", 0.05)


@pytest.fixture
def clock(monkeypatch):
    """Seconds to add to the uptime of this process."""
    late = [0.0]
    uptime = heartbeats.uptime
    monkeypatch.setattr(heartbeats, "uptime", lambda: uptime() + late[0])
    return late


def wait_for_beats(count):
    """Return when the heartbeat was written so many times more; for the gateway's thread."""
    for _ in range(count):
        date_back(timedelta(hours=1))
        old = last_beat()
        wait_until(lambda old=old: last_beat() != old)
    connection.close()


@pytest.mark.parametrize("slots", [1, 4])
def test_heartbeat_goes_on_while_requests_are_under_way(sandbox, settings, often, slots):
    settings.MOBILON_SMS_CONCURRENCY = slots
    write(3)
    sandbox.on_request = lambda exchange: wait_for_beats(3)
    assert deliver(batch_size=1, alive=ALIVE).statuses == {"accepted": 3}
    assert beats() == [(HERE, "loop")]


def test_heartbeat_goes_on_while_statuses_are_queried(sandbox, worker, often):
    write()
    worker("--no-refresh")
    Heartbeat.objects.all().delete()
    SmsBatch.objects.update(next_check_at=db_now())
    ALIVE()
    sandbox.on_request = lambda exchange: wait_for_beats(3)
    assert refresh(alive=ALIVE).checked == 1


def test_heartbeat_goes_on_between_receivers(sandbox, often):
    seen = []

    def receive(**kwargs):
        seen.append(beats())
        Heartbeat.objects.all().delete()

    status_changed.connect(receive, weak=False)
    write(3)
    try:
        deliver(alive=ALIVE)
    finally:
        status_changed.disconnect(receive)
    assert seen == [[(HERE, "loop")]] * 3


def test_process_writes_it_once_in_thirty_seconds(clock):
    ALIVE()
    date_back(timedelta(hours=1))
    old = last_beat()
    for late, is_new in ((29.0, False), (31.0, True)):
        clock[0] = late
        ALIVE()
        assert (last_beat() != old) is is_new


def test_each_way_to_run_a_worker_has_its_heartbeat(sandbox, worker):
    worker()
    celery.send()
    django_tasks.send.func()
    assert beats() == [(HERE, "cron"), (HERE, "celery"), (HERE, "tasks")]


def test_what_does_not_send_by_itself_leaves_none(sandbox, worker, settings):
    [message] = write()
    worker("--dry-run")
    assert send_now([message.pk]).statuses == {"accepted": 1}
    SmsBatch.objects.update(next_check_at=db_now())
    assert "Checked 1 status" in worker("--refresh-only").output
    celery.refresh()
    settings.MOBILON_SMS_TIMEOUT = 0  # it cannot send
    with pytest.raises(Exception, match="E007"):
        worker()
    assert beats() == []


def test_database_that_refuses_the_heartbeat_stops_no_sending(sandbox, worker, caplog):
    write(2)
    with connection.schema_editor() as editor:
        editor.delete_model(Heartbeat)
    try:
        with caplog.at_level(logging.WARNING, "django_mobilon_sms"):
            assert worker("--no-refresh").code == 0
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(Heartbeat)
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"accepted"}
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("heartbeat.failed error=")


def test_rows_of_hosts_that_have_gone_are_deleted():
    for host, age in (("ahead", -2), ("old", 2), ("away", 0.9)):
        row = Heartbeat.objects.create(host=host, kind=WorkerKind.CRON)
        Heartbeat.objects.filter(pk=row.pk).update(beat_at=db_now() - timedelta(days=age))
    Heartbeat.objects.beat(WorkerKind.LOOP, "new")
    assert beats() == [("away", "cron"), ("new", "loop")]


def test_processes_of_a_host_that_begin_together_share_a_row():
    together = threading.Barrier(4, timeout=60)
    errors = []

    def begin():
        try:
            together.wait()
            Heartbeat.objects.beat(WorkerKind.CELERY, "sms-1")
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (errors, beats()) == ([], [("sms-1", "celery")])
