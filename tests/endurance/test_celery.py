"""The tasks for Celery, with real workers on Redis and RabbitMQ.

Without a broker they are skipped, or fail if CELERY_REQUIRED is set, as ``make celery`` does.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
import redis
from celery import Celery
from django.core.cache import cache
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerError

from django_mobilon_sms.contrib import celery as tasks
from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from django_mobilon_sms.outbox import send_many, send_sms
from tests.support.messages import write
from tests.support.workers import PATIENCE, group, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

BROKERS = {
    "redis": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
    "rabbitmq": os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}
WAKE_UP = "django_mobilon_sms.contrib.celery.wake_up"


class Broker:
    """A queue of its own in a broker, to which this process publishes."""

    def __init__(self, url: str) -> None:
        self.url, self.queue = url, f"mobilon_sms_{uuid4().hex}"
        self.app = Celery("tests", broker=url)
        self.app.conf.task_default_queue = self.queue
        if url.startswith("redis"):
            self.app.conf.broker_transport_options = {"global_keyprefix": self.queue}

    def count(self) -> int:
        """Return the number of tasks in the queue."""
        with self.app.connection_for_read() as connection:
            # Declared as Celery does, because Redis has no empty queues.
            queue = connection.default_channel.queue_declare(
                self.queue, durable=True, auto_delete=False
            )
            return queue.message_count

    def close(self) -> None:
        with self.app.connection_for_write() as connection:
            connection.default_channel.queue_delete(self.queue)
        self.app.close()
        if self.url.startswith("redis"):
            with redis.from_url(self.url) as client:
                client.delete(*client.scan_iter(f"{self.queue}*"), self.queue)

    @contextmanager
    def worker(self, sandbox, *options: str, **environment: str):
        """Start a Celery worker on the queue and yield its process once it is ready."""
        command = ("-m", "celery", "-A", "tests.support.celery_app", "worker", "--loglevel=INFO")
        # Two workers of one name on one RabbitMQ would share a queue of commands.
        quiet = (f"--hostname={uuid4().hex}@%h", "--without-gossip", "--without-mingle")
        given = {
            "CELERY_BROKER_URL": self.url,
            "CELERY_QUEUE": self.queue,
            "MOBILON_SMS_BASE_URL": sandbox.url,
            "DJANGO_SETTINGS_MODULE": "tests.support.celery_settings",
        }
        options = options or ("--concurrency=1",)
        with group(*command, *quiet, *options, **given, **environment) as process:
            output = []
            for line in process.stdout:
                output.append(line)
                if line.rstrip().endswith(" ready."):
                    break
            else:
                pytest.fail("The worker ended before it was ready:\n" + "".join(output))
            yield process


@pytest.fixture(params=BROKERS)
def broker(request):
    broker = Broker(BROKERS[request.param])
    try:
        broker.app.connection_for_write(connect_timeout=5).ensure_connection(max_retries=1).close()
    except (BrokerError, OSError):
        if os.environ.get("CELERY_REQUIRED"):
            raise
        pytest.skip(f"{request.param} does not listen at its address")
    broker.app.set_current()
    cache.clear()
    yield broker
    broker.close()


def statuses() -> Counter[str]:
    return Counter(SmsMessage.objects.values_list("status", flat=True))


def assert_no_copies(sandbox) -> None:
    assert [n for n in Counter(m.guid for m in sandbox.messages).values() if n > 1] == []


def fill(count: int) -> None:
    send_many({"number": "+79135292926", "text": f"Заказ {n}"} for n in range(count))


def test_committed_message_wakes_a_worker_that_sends_it(sandbox, settings, broker):
    settings.MOBILON_SMS_WAKE_UP = WAKE_UP
    with broker.worker(sandbox):
        with transaction.atomic():
            send_sms("+79135292926", "Код 4821")
        wait_until(lambda: statuses() == {"accepted": 1})


def test_ten_thousand_messages_make_few_tasks(settings, broker):
    settings.MOBILON_SMS_WAKE_UP = WAKE_UP
    began = time.monotonic()
    with transaction.atomic():
        fill(5000)
    assert broker.count() == 1
    with transaction.atomic():
        for _ in range(500):
            send_sms("+79135292926", "Заказ готов")
    for _ in range(500):
        send_sms("+79135292926", "Заказ готов")
    fill(4000)
    took = time.monotonic() - began
    assert 2 <= broker.count() <= 2 * (took + 1)


def test_tasks_at_the_same_time_send_every_message_once(sandbox, broker):
    fill(300)
    for _ in range(4):
        tasks.send.delay()
    with broker.worker(sandbox, "--concurrency=2", MOBILON_SMS_BATCH_SIZE="10"):
        wait_until(lambda: statuses() == {"accepted": 300} and not broker.count())
    assert_no_copies(sandbox)
    assert len(sandbox.messages) == 300


def test_killed_worker_loses_nothing_and_the_next_sends_nothing_twice(sandbox, broker):
    fill(30)
    sandbox.latency = 60
    tasks.send.delay()
    with broker.worker(sandbox, MOBILON_SMS_BATCH_SIZE="10") as first:
        wait_until(lambda: sandbox.messages)
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    sandbox.latency = 0
    # Nothing is published: the broker delivers the task again.
    with broker.worker(sandbox, MOBILON_SMS_BATCH_SIZE="10"):
        wait_until(lambda: statuses() == {"sending": 10, "accepted": 20})
        SmsBatch.objects.filter(outcome="").update(lease_until="2020-01-01T00:00:00Z")
        tasks.send.delay()
        wait_until(lambda: statuses() == {"unknown": 10, "accepted": 20})
    assert_no_copies(sandbox)
    assert len(sandbox.messages) == 30


def test_killed_child_of_a_pool_loses_nothing(sandbox, broker):
    fill(30)
    sandbox.latency = 60
    tasks.send.delay()
    with broker.worker(sandbox, MOBILON_SMS_BATCH_SIZE="10"):
        wait_until(lambda: sandbox.messages)
        os.kill(child_at_work(), signal.SIGKILL)
        sandbox.latency = 0
        tasks.send.delay()  # as the schedule does
        wait_until(lambda: statuses() == {"sending": 10, "accepted": 20})
    assert_no_copies(sandbox)


def child_at_work() -> int:
    """Return the pid of the pool process that has a request under way."""
    [name] = SmsBatch.objects.filter(outcome="").values_list("worker", flat=True)
    return int(name.partition(":")[2])


def test_child_of_a_pool_that_gets_several_signals_still_records(sandbox, broker):
    fill(10)
    sandbox.latency = 2
    tasks.send.delay()
    with broker.worker(sandbox):
        wait_until(lambda: sandbox.messages)
        pid = child_at_work()
        for _ in range(3):
            os.kill(pid, signal.SIGTERM)
            time.sleep(0.1)
        wait_until(lambda: statuses() == {"accepted": 10})
    assert_no_copies(sandbox)


def test_soft_time_limit_lets_the_request_finish_and_leaves_the_rest_to_another(sandbox, broker):
    fill(20)
    sandbox.latency = 2
    tasks.send.delay()
    limits = {"CELERY_SOFT_TIME_LIMIT": "1", "MOBILON_SMS_BATCH_SIZE": "10"}
    with broker.worker(sandbox, **limits) as process:
        wait_until(lambda: statuses() == {"accepted": 20})
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=PATIENCE)[0]
    # Billiard reports it once more if a task ends just at its limit.
    assert log.count("Soft time limit (1.0s) exceeded for mobilon_sms.send") >= 2, log
    assert log.count("'claimed': 10") == 2, log
    assert_no_copies(sandbox)
    assert set(SmsBatch.objects.values_list("outcome", flat=True)) == {"answered"}


@pytest.mark.parametrize("to_all", [False, True], ids=["worker", "group"])
def test_worker_that_is_stopped_records_the_request_under_way(sandbox, broker, to_all):
    fill(20)
    sandbox.latency = 2
    tasks.send.delay()
    options = ("--concurrency=1", "--soft-time-limit=600")
    with broker.worker(sandbox, *options, MOBILON_SMS_BATCH_SIZE="10") as process:
        wait_until(lambda: sandbox.messages)
        (os.killpg if to_all else os.kill)(process.pid, signal.SIGTERM)
        process.wait(timeout=PATIENCE)
    # Without its group it ends when its tasks do: this task may finish its shift.
    assert statuses() in ({"accepted": 10, "pending": 10}, {"accepted": 20})
    assert_no_copies(sandbox)


def test_refresh_and_purge_do_what_their_commands_do(sandbox, broker, worker):
    write(3)
    worker("--no-refresh")
    ago = db_now() - timedelta(minutes=1)
    SmsMessage.objects.all().change(created_at=ago)
    SmsBatch.objects.update(next_check_at=ago)
    with broker.worker(sandbox):
        tasks.refresh.delay()
        wait_until(lambda: statuses() == {"sent": 3})
        tasks.purge.delay("30s")
        wait_until(lambda: not SmsMessage.objects.exists())
