"""The tasks for Django's own engine: run at once, and by a worker on the database."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import get_commands
from django.db import OperationalError, transaction
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult

from django_mobilon_sms.contrib import django_tasks, jobs
from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from django_mobilon_sms.outbox import send_many, send_sms
from tests.support.documents import DOCS, blocks, typed
from tests.support.messages import write
from tests.support.workers import PATIENCE, group, wait_until

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

WAKE_UP = "django_mobilon_sms.contrib.django_tasks.wake_up"
PAGE = DOCS / "howto/django-tasks.rst"
EXECUTED = ["docs/howto/django-tasks.rst"]


@pytest.fixture(autouse=True)
def _no_wake_up_keys():
    cache.clear()


@pytest.fixture
def immediate(settings):
    """The engine's backend that runs a task where it is enqueued."""
    engine = type(django_tasks.send).__module__.rpartition(".")[0]
    settings.TASKS = {"default": {"BACKEND": f"{engine}.backends.immediate.ImmediateBackend"}}


def db_worker(sandbox, *options: str, **environment: str):
    """`manage.py db_worker`."""
    command = ("-m", "django", "db_worker", "--settings=tests.settings", "--interval=0.1")
    return group(*command, *options, MOBILON_SMS_BASE_URL=sandbox.url, **environment)


def fill(count: int) -> None:
    send_many({"number": "+79135292926", "text": f"Заказ {n}"} for n in range(count))


def statuses() -> Counter[str]:
    return Counter(SmsMessage.objects.values_list("status", flat=True))


def ends() -> Counter[str]:
    return Counter(DBTaskResult.objects.values_list("status", flat=True))


def assert_no_copies(sandbox) -> None:
    assert [n for n in Counter(m.guid for m in sandbox.messages).values() if n > 1] == []


def test_three_tasks_do_what_their_commands_do_at_once(sandbox, immediate):
    write(3)
    sent = django_tasks.send.enqueue()
    assert (sent.return_value["claimed"], statuses()) == (3, {"accepted": 3})
    ago = db_now() - timedelta(minutes=1)
    SmsMessage.objects.all().change(created_at=ago)
    SmsBatch.objects.update(next_check_at=ago)
    assert django_tasks.refresh.enqueue().return_value["checked"] == 3
    assert statuses() == {"sent": 3}
    SmsBatch.objects.update(created_at=ago)
    purged = django_tasks.purge.enqueue("30s").return_value
    assert purged == {"messages": 3, "texts": 0, "batches": 1, "events": 0, "dropped": 0}


def test_commit_sends_where_tasks_run_at_once(sandbox, immediate, settings):
    settings.MOBILON_SMS_WAKE_UP = WAKE_UP
    for n in range(3):
        with transaction.atomic():
            send_sms("+79135292926", "Код 4821")
            assert len(sandbox.messages) == n
    assert statuses() == {"accepted": 3}


def test_many_commits_make_few_tasks(settings):
    settings.MOBILON_SMS_WAKE_UP = WAKE_UP
    with transaction.atomic():
        fill(1000)
    for _ in range(50):
        send_sms("+79135292926", "Заказ готов")
    found = DBTaskResult.objects.order_by("enqueued_at").values_list("enqueued_at", "run_after")
    seconds = (found[len(found) - 1][0] - found[0][0]).total_seconds()
    assert 2 <= len(found) <= 2 * (seconds + 1)


def test_run_at_its_limit_leaves_the_rest_to_a_task(sandbox, monkeypatch):
    monkeypatch.setattr(jobs, "RUN_SECONDS", 0.0)
    write(3)
    assert django_tasks.send.call()["claimed"] == 0
    assert list(DBTaskResult.objects.values_list("task_path", flat=True)) == [
        f"{django_tasks.__name__}.send"
    ]


def test_signal_ends_a_run_and_is_handled_after_it():
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        with jobs.limited_run(signal.SIGTERM) as stopping:
            assert not stopping()
            os.kill(os.getpid(), signal.SIGTERM)
            assert (stopping(), came) == (True, [])
        assert came == [signal.SIGTERM]
        with suppress(RuntimeError), jobs.limited_run(signal.SIGTERM):
            os.kill(os.getpid(), signal.SIGTERM)
            raise RuntimeError
        assert came == [signal.SIGTERM] * 2
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    "task", [django_tasks.send, django_tasks.refresh, django_tasks.purge], ids=lambda t: t.name
)
def test_trouble_with_the_database_is_shown_without_its_text(monkeypatch, task):
    def fail(*args, **options):
        raise OperationalError("Failing row contains (Код 4821, +79135292926)")

    # No database can be made to quote a row at a given point.
    for name in ("deliver", "refresh", "purge"):
        monkeypatch.setattr(jobs, name, fail)
    with pytest.raises(RuntimeError) as raised:
        task.call(*(["180d"] if task is django_tasks.purge else []))
    assert str(raised.value) == "The database reported an error (OperationalError)."
    assert raised.value.__suppress_context__


@pytest.mark.slow
def test_workers_on_the_database_send_what_is_committed_once(sandbox, settings):
    settings.MOBILON_SMS_WAKE_UP = WAKE_UP
    with db_worker(sandbox), db_worker(sandbox):
        for n in range(5):
            with transaction.atomic():
                fill(20)
            wait_until(lambda n=n: statuses() == {"accepted": 20 * (n + 1)})
        wait_until(lambda: set(ends()) == {"SUCCESSFUL"})
    assert_no_copies(sandbox)


@pytest.mark.slow
def test_killed_worker_loses_nothing_and_the_next_sends_nothing_twice(sandbox):
    fill(30)
    sandbox.latency = 60
    django_tasks.send.enqueue()
    with db_worker(sandbox, MOBILON_SMS_BATCH_SIZE="10") as first:
        wait_until(lambda: sandbox.messages)
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    sandbox.latency = 0
    django_tasks.send.enqueue()
    with db_worker(sandbox, "--batch", MOBILON_SMS_BATCH_SIZE="10") as second:
        second.wait(timeout=PATIENCE)
    assert statuses() == {"sending": 10, "accepted": 20}
    SmsBatch.objects.filter(outcome="").update(lease_until="2020-01-01T00:00:00Z")
    django_tasks.send.enqueue()
    with db_worker(sandbox, "--batch") as third:
        third.wait(timeout=PATIENCE)
    assert statuses() == {"unknown": 10, "accepted": 20}
    assert_no_copies(sandbox)


@pytest.mark.slow
def test_worker_asked_to_stop_records_what_is_under_way_and_ends(sandbox):
    fill(20)
    sandbox.latency = 2
    django_tasks.send.enqueue()
    with db_worker(sandbox, MOBILON_SMS_BATCH_SIZE="10") as process:
        wait_until(lambda: sandbox.messages)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE)
    assert (process.returncode, statuses()) == (0, {"accepted": 10, "pending": 10})
    # The rest is left to another task.
    assert DBTaskResult.objects.filter(started_at=None).count() == 1


def test_python_of_the_docs_names_what_there_is():
    settings, typed_in, code = blocks(PAGE, "Steps")
    assert [command.words[2] for command in typed(typed_in.text)] == ["migrate", "db_worker"]
    assert "db_worker" in get_commands()
    named: dict[str, Any] = {"INSTALLED_APPS": []}
    exec(settings.text, named)
    assert named["MOBILON_SMS_WAKE_UP"] == WAKE_UP
    assert import_string(named["TASKS"]["default"]["BACKEND"]) is type(
        django_tasks.send.get_backend()
    )
    exec(code.text)
    paths = DBTaskResult.objects.order_by("enqueued_at").values_list("task_path", flat=True)
    names = ("refresh", "webhooks", "purge")
    assert list(paths) == [f"{django_tasks.__name__}.{name}" for name in names]
