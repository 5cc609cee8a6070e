"""Several workers, killed ones and slow consumers: at least once, in order, and nobody waits."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.models import SmsMessage, WebhookConsumer, WebhookDelivery
from django_mobilon_sms.webhooks import deliver_again, deliver_once, delivering
from tests.support.lock_waits import in_threads, waiting
from tests.support.messages import write
from tests.support.webhook_receiver import Receiver, webhooks
from tests.support.workers import PATIENCE, group, wait_until
from tests.webhooks.conftest import only, pass_time, settle, work

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

LEASE = timedelta(minutes=2)
LIFE = ["pending", "cancelled"]


def process(*command, receivers=(), sandbox=None):
    """A process of `manage.py` with these consumers."""
    environment = {
        "MOBILON_SMS_EVENTS": "30d",
        "MOBILON_SMS_WEBHOOKS": json.dumps(webhooks(*receivers)),
        "MOBILON_SMS_BASE_URL": sandbox.url if sandbox else "http://127.0.0.1:9/",
    }
    return group("-m", "django", *command, "--settings=tests.settings", **environment)


def write_and_cancel(count):
    found = write(count)
    SmsMessage.objects.all().cancel()
    return found


def first_times(ids):
    """Every id once, in the order in which it first came."""
    return [*dict.fromkeys(ids)]


@pytest.mark.slow
def test_killed_worker_leaves_every_event_to_the_next_in_order(receiver):
    messages = write_and_cancel(12)
    settle()
    kills = 0
    while only().delivered < 24 and kills < 20:
        before = len(receiver.heard)
        with process("sms_webhooks", "--deliver", receivers=[receiver]) as worker:

            def kill(heard, worker=worker, last=before + 6):
                if len(receiver.heard) >= last:
                    os.killpg(worker.pid, signal.SIGKILL)
                return 204

            receiver.answer = kill
            worker.wait(PATIENCE)
            kills += worker.returncode == -signal.SIGKILL
        pass_time(LEASE)
    assert kills >= 2
    receiver.answer = lambda heard: 204
    work()
    assert state_of_all(receiver, messages) == []
    assert WebhookDelivery.objects.count() == 0


def state_of_all(receiver, messages):
    """The messages whose events did not all come first in their order."""
    wrong = []
    for message in messages:
        of_message = [h for h in receiver.heard if h.data["guid"] == str(message.guid)]
        once = first_times(h.data["status"] for h in of_message)
        if once != LIFE:
            wrong.append((message.guid, once))
    return wrong


def test_one_worker_at_a_time_delivers_for_a_consumer(receiver):
    begun, go_on = threading.Event(), threading.Event()

    def wait(heard):
        begun.set()
        go_on.wait(PATIENCE)
        return 204

    receiver.answer = wait
    write(1)
    settle()
    first = thread(work)
    assert begun.wait(PATIENCE)
    write(1)
    work()  # another worker: it leaves the consumer alone
    assert receiver.most_at_once == 1
    go_on.set()
    first.join(PATIENCE)
    work()
    assert sorted(receiver.taken) == sorted(set(receiver.taken))
    assert (len(receiver.taken), only().delivered) == (2, 2)


def test_worker_that_waited_for_the_lease_of_another_does_not_take_it(receiver):
    """Its statement began first, so the time of the other's lease is later than it expects."""
    if connection.vendor == "sqlite":
        pytest.skip("one lock for all, which a statement takes before it reads the time")
    locked, taken = threading.Event(), []

    def take_while_another_waits():
        WebhookConsumer.objects.select_for_update().get(name="shop")
        locked.set()
        wait_until(waiting)
        taken.append(WebhookConsumer.objects.take("shop"))

    with in_threads() as start:
        first = start(transaction.atomic(take_while_another_waits))
        assert locked.wait(PATIENCE)
        assert WebhookConsumer.objects.take("shop") is None
        first.result(PATIENCE)
    assert only().lease == taken[0].lease


def test_worker_that_lost_its_lease_records_nothing(receiver, caplog):
    lease = uuid4()

    def lose(heard):
        WebhookConsumer.objects.update(lease=lease)
        connection.close()  # of the receiver's thread
        return 500

    receiver.answer = lose
    write()
    cursor = only().cursor
    work()
    assert (only().cursor, only().lease, only().failures) == (cursor, lease, 0)
    assert WebhookDelivery.objects.count() == 0
    assert "webhook.overtaken consumer=shop" in caplog.messages


def test_events_that_a_person_wants_again_outlast_a_delivery_under_way(receiver):
    [message] = write()

    def want_again(heard):
        if len(receiver.heard) == 0:
            deliver_again(only(), message.created_at - LEASE)
            connection.close()
        return 204

    receiver.answer = want_again
    work()
    work()
    assert len(receiver.taken) == 2
    assert only().delivered == 1  # the first delivery was not recorded


def test_stopped_worker_keeps_what_it_has_not_tried_for_the_next(receiver):
    stopped = threading.Event()

    def stop(heard):
        stopped.set()
        return 204

    receiver.answer = stop
    messages = write_and_cancel(10)
    work(stopping=stopped.is_set)
    assert len(receiver.heard) < 20
    work()
    assert [m.guid for m in messages if receiver.of(m.guid) != LIFE] == []
    assert len(receiver.taken) == 20


@contextmanager
def slow_and_fast(settings) -> Iterator[tuple[Receiver, Receiver, threading.Event]]:
    """Two consumers, of which the first answers only once the event is set."""
    go_on = threading.Event()
    slow = Receiver(lambda heard: 204 if go_on.wait(PATIENCE) else 500)
    with slow, Receiver() as fast:
        settings.MOBILON_SMS_EVENTS = "30d"
        settings.MOBILON_SMS_WEBHOOKS = webhooks(slow, fast)
        deliver_once()
        try:
            yield slow, fast, go_on
        finally:
            go_on.set()


def test_slow_consumer_does_not_delay_another(settings):
    with slow_and_fast(settings) as (slow, fast, go_on), delivering():
        for count in (1, 2, 3):
            write(1)
            wait_until(lambda count=count: len(fast.taken) == count)
        assert slow.taken == []
        go_on.set()
        wait_until(lambda: len(slow.taken) == 3)


def test_one_round_delivers_to_all_and_ends_after_its_time(settings, receiver):
    with slow_and_fast(settings) as (slow, fast, go_on):
        write(40)
        settle()
        fast.answer = lambda heard: go_on.set() or 204
        deliver_once(seconds=0)
        assert (slow.taken, fast.taken) == ([], [])
        deliver_once()
        assert (len(slow.taken), len(fast.taken)) == (40, 40)


def test_loop_sends_while_a_consumer_hangs_and_ends_at_a_signal(settings, sandbox):
    with slow_and_fast(settings) as (slow, fast, go_on):
        loop = process("send_sms", "--loop", receivers=[slow, fast], sandbox=sandbox)
        with loop as worker:
            write()
            wait_until(lambda: len(sandbox.messages) == 1)
            wait_until(lambda: fast.of_all() == ["pending", "sending", "accepted"])
            wait_until(lambda: slow.begun)
            write()
            wait_until(lambda: len(sandbox.messages) == 2)
            assert slow.taken == []
            worker.send_signal(signal.SIGTERM)
            go_on.set()
            assert worker.wait(PATIENCE) == 0
    assert set(WebhookConsumer.objects.values_list("lease", flat=True)) == {None}


def test_run_of_cron_delivers_once_after_it_has_sent(receiver, sandbox, worker):
    [message] = write()
    settle()
    assert worker().code == 0
    work()  # on PostgreSQL, what the run could not read yet
    assert receiver.of(message.guid) == ["pending", "sending", "accepted"]


def test_nothing_is_asked_while_no_consumer_is_configured(settings, sandbox, worker):
    settings.MOBILON_SMS_EVENTS, settings.MOBILON_SMS_WEBHOOKS = "30d", None
    write()
    before = threading.active_count()
    with CaptureQueriesContext(connection) as queries:
        deliver_once()
        with delivering():
            assert threading.active_count() == before
        worker()
    asked = [query["sql"] for query in queries if "information_schema" not in query["sql"]]
    assert [sql for sql in asked if "webhook" in sql] == []


def test_wrong_setting_delivers_nothing(receiver, settings):
    settings.MOBILON_SMS_WEBHOOKS["shop"]["URL"] = "http://shop.example/"
    with pytest.raises(ImproperlyConfigured, match="E041"):
        deliver_once()
    before = threading.active_count()
    with delivering():
        assert threading.active_count() == before


def thread(work):
    """Do the work in a thread, which closes its connections."""

    def run():
        try:
            work()
        finally:
            connections.close_all()

    started = threading.Thread(target=run)
    started.start()
    return started
