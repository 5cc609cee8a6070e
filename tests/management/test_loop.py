"""`send_sms --loop` as a service: how it waits, and what it survives."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from datetime import timezone as zones
from io import StringIO
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_mobilon_sms.choices import Priority
from django_mobilon_sms.management.commands import send_sms
from django_mobilon_sms.management.commands.send_sms import Command
from django_mobilon_sms.models import GatewayState, Heartbeat, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.outbox import send_many
from django_mobilon_sms.worker import deliver, heartbeats, listening
from tests.support.messages import write
from tests.support.workers import PATIENCE, group, wait_until

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

INTERVAL = 1.0


class Script:
    """In place of the wait between two polls: each wait takes the next step, the last one ends."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps = list(steps)
        self.waits: list[float] = []

    def is_set(self) -> bool:
        return not self.steps

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.steps.pop(0)()


def loop(
    *steps: Callable[[], object],
    options: tuple[str, ...] = (),
    hears: Callable[[], bool] = lambda: False,
) -> tuple[list[str], Script]:
    """Run the loop with these steps while it waits; the lines that it printed, and the script."""
    output = StringIO()
    command = Command(stdout=output, stderr=output)
    words = ["--loop", f"--interval={INTERVAL}", *options]
    script = Script(*steps)
    given: dict[str, Any] = vars(command.create_parser("manage.py", "send_sms").parse_args(words))
    command.loop(given, script, hears)
    return output.getvalue().splitlines(), script


def statuses() -> list[str]:
    return list(SmsMessage.objects.order_by("pk").values_list("status", flat=True))


def nothing() -> None:
    """A poll that finds nothing new."""


def test_message_is_sent_by_the_first_poll_after_its_commit(sandbox):
    seen = []
    output, script = loop(nothing, nothing, write, lambda: seen.append(statuses()))
    assert seen == [["accepted"]]
    assert output == ["Messages: 1 accepted"]
    assert script.waits == [INTERVAL] * 4


def test_poll_that_finds_nothing_is_one_query(sandbox, monkeypatch):
    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", inf)  # the one exception: see the next test
    write()
    asked: list[int] = []

    def count() -> None:
        asked.append(len(queries))

    with CaptureQueriesContext(connection) as queries:
        loop(nothing, *[count] * 4)
    assert [after - before for before, after in pairwise(asked)] == [1, 1, 1]


def test_poll_writes_the_heartbeat_once_in_thirty_seconds(sandbox, monkeypatch):
    late = [0.0]
    monkeypatch.setattr(heartbeats, "uptime", lambda: late[0])

    def pass_by(seconds: float) -> Callable[[], None]:
        def step() -> None:
            late[0] += seconds
            Heartbeat.objects.update(beat_at=db_now() - timedelta(hours=1))

        return step

    old: list[bool] = []

    def look() -> None:
        hour_ago = db_now() - timedelta(minutes=59)
        old.append(Heartbeat.objects.filter(beat_at__lt=hour_ago).exists())

    loop(pass_by(20), look, pass_by(20), look)
    assert old == [True, False]


def test_long_pause_is_no_silence(sandbox, monkeypatch):
    """The heartbeat goes on between two polls, but not while the worker cannot work."""
    late = [0.0]
    monkeypatch.setattr(heartbeats, "uptime", lambda: late[0])
    seen: list[int] = []

    def sleep() -> None:
        seen.append(Heartbeat.objects.all().delete()[0])
        late[0] += heartbeats.BEAT_SECONDS

    _output, script = loop(*[sleep] * 4, options=("--interval=100",))
    assert (script.waits, seen) == ([30, 30, 30, 10], [1, 1, 1, 1])


def test_worker_that_cannot_work_leaves_no_heartbeat(sandbox, settings, monkeypatch):
    settings.MOBILON_SMS_TIMEOUT = 0
    _output, script = loop(nothing, nothing, options=("--interval=100",))
    assert (script.waits, Heartbeat.objects.count()) == ([100, 100], 0)


def test_refresh_makes_way_for_a_message_that_became_due(sandbox, settings):
    settings.MOBILON_SMS_CONCURRENCY = 1  # a hundred statuses at a time
    send_many({"number": "+79135292926", "text": f"Заказ {n}"} for n in range(250))
    asked: list[str] = []

    def come(exchange: Any) -> None:
        asked.append(exchange.path)
        if asked == ["/status/"]:
            write()
            connection.close()  # of the gateway's thread

    def become_due() -> None:
        SmsBatch.objects.update(next_check_at=db_now())
        sandbox.on_request = come

    loop(become_due, nothing, nothing)
    assert asked == ["/status/", "/send/", "/status/", "/status/"]


@pytest.mark.parametrize("halt", ["DAILY_LIMIT", "QUIET_HOURS"])
def test_refresh_of_a_halted_run_makes_way_only_for_what_may_go_out(sandbox, settings, halt):
    settings.MOBILON_SMS_CONCURRENCY = 1  # a hundred statuses at a time
    send_many({"number": "+79135292926", "text": f"Заказ {n}"} for n in range(250))
    asked: list[str] = []

    def come(exchange: Any) -> None:
        asked.append(exchange.path)
        if asked == ["/status/"]:
            write()  # waits, as those of the list do
        if asked == ["/status/"] * 2:
            write(priority=Priority.HIGH)
        connection.close()  # of the gateway's thread

    def become_due() -> None:
        if halt == "DAILY_LIMIT":
            settings.MOBILON_SMS_DAILY_LIMIT = 10
            write(9)
            deliver()
        else:
            now = timezone.now().astimezone(zones.utc)
            hours = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M} UTC"
            settings.MOBILON_SMS_QUIET_HOURS = hours
        write()
        SmsBatch.objects.update(next_check_at=db_now())
        sandbox.on_request = come

    loop(become_due, nothing, nothing)
    assert asked[:3] == ["/status/", "/status/", "/send/"]
    assert set(asked[3:]) == {"/status/"}  # one or two, as the batches fill the requests


def test_statuses_wait_after_trouble_and_sending_does_not(sandbox):
    def become_due():
        SmsBatch.objects.update(next_check_at=db_now())
        sandbox.fault("http", path="/status/")

    def become_due_again():
        become_due()
        write()

    loop(write, become_due, become_due_again, become_due, nothing)
    assert [exchange.path for exchange in sandbox.exchanges] == ["/send/", "/status/", "/send/"]


def test_first_run_says_what_is_wrong_though_nothing_waits(sandbox, settings):
    settings.MOBILON_SMS_TIMEOUT = 0
    [line], _script = loop(nothing, nothing)
    assert line.startswith("(E007) MOBILON_SMS_TIMEOUT must be ")


def test_pause_is_printed_once_and_not_each_second(sandbox):
    def pause() -> None:
        GatewayState.objects.pause(by=None)
        write()

    output, _script = loop(
        pause, nothing, nothing, GatewayState.objects.resume, pause, nothing, nothing
    )
    paused = "Sending is paused. Resume it in the admin."
    assert output == [paused, "Messages: 1 accepted", paused]


def test_trouble_with_the_database_is_printed_once_and_ends_nothing(sandbox):
    here, away = SmsMessage._meta.db_table, "mobilon_sms_away"

    def rename(old: str, new: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    def come_back() -> None:
        rename(away, here)
        write()

    output, _script = loop(lambda: rename(here, away), nothing, nothing, come_back, nothing)
    assert output == [
        "The database has no tables for messages. Run: manage.py migrate mobilon_sms",
        "Messages: 1 accepted",
    ]


def test_logging_that_fails_costs_no_outcome_and_ends_nothing(sandbox):
    class Broken(logging.Handler):
        def emit(self, record):
            raise RuntimeError("the text of a message")

    def fail():
        sandbox.fault("http", code=500)
        write()
        logger.addHandler(handler)

    def mend():
        logger.removeHandler(handler)
        write()

    logger, handler = logging.getLogger("django_mobilon_sms"), Broken()
    try:
        lines, _script = loop(fail, nothing, mend, nothing)
    finally:
        logger.removeHandler(handler)
    assert lines[0] == "Messages: 1 unknown"
    assert statuses() == ["unknown", "pending"]


def test_json_is_printed_for_each_run_and_not_for_a_poll_that_finds_nothing(sandbox):
    output, _script = loop(nothing, nothing, write, nothing, nothing, options=("--json",))
    assert [line.count('"claimed": 1') for line in output] == [0, 1]


def others() -> list[int]:
    """The connections of other processes to this database, as the server numbers them."""
    query = {
        "postgresql": "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND query NOT LIKE 'LISTEN%'",
        "mysql": "SELECT id FROM information_schema.processlist"
        " WHERE db = DATABASE() AND id <> CONNECTION_ID()",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]


def cut(number: int) -> None:
    """Cut a connection, as a restart of the server does."""
    command = {"postgresql": "SELECT pg_terminate_backend(%s)", "mysql": "KILL %s"}
    with connection.cursor() as cursor:
        cursor.execute(command[connection.vendor], [number])


@contextmanager
def service(sandbox, *options: str):
    words = ("-m", "django", "send_sms", "--settings=tests.settings", "--loop", *options)
    with group(*words, MOBILON_SMS_BASE_URL=sandbox.url) as process:
        yield process


@pytest.mark.slow
def test_loop_reopens_connections_that_the_server_cut(sandbox):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no server that cuts a connection")
    with service(sandbox, "--interval=0.2") as process:
        for count in range(1, 4):
            write()
            wait_until(lambda n=count: statuses() == ["accepted"] * n)
            [number] = others()
            cut(number)
            wait_until(lambda old=number: (found := others()) and old not in found)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert len(sandbox.messages) == 3
    assert "Traceback" not in output


def test_message_that_becomes_due_wakes_the_loop_at_its_time(sandbox, monkeypatch):
    monkeypatch.setattr(send_sms, "BEAT_SECONDS", inf)  # so that a pause is one wait

    def schedule() -> None:
        GatewayState.objects.current()
        write(send_at=timezone.now() + timedelta(minutes=30))

    _output, script = loop(nothing, schedule, nothing, options=("--interval=3600",))
    assert script.waits[:2] == [3600, 3600]
    assert 1700 < script.waits[2] <= 1800


@pytest.mark.slow
def test_message_is_sent_at_once_although_the_next_poll_is_far_away(sandbox):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL notifies")
    with service(sandbox, "--interval=80000") as process:
        assert process.stdout.readline() == (
            "New messages are sent at once. The database is also polled every 80000 s.\n"
        )
        for count in (1, 2):
            write()
            wait_until(lambda n=count: statuses() == ["accepted"] * n)
        # A lost connection comes back, and what was written meanwhile is found then.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        write()
        wait_until(lambda: statuses() == ["accepted"] * 3)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_listener_whose_proof_came_late_tries_again(monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL notifies")
    monkeypatch.setattr(listening, "PROVE_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(listening, "CHECK_SECONDS", 0.2)  # how soon it sees its end
    monkeypatch.setattr(listening, "PROOF_SECONDS", 0.0)  # no server is as fast
    woken = threading.Event()
    with listening.listener(woken.set) as hears:
        assert not hears()
        assert not woken.is_set()
        monkeypatch.setattr(listening, "PROOF_SECONDS", float(PATIENCE))
        assert woken.wait(PATIENCE)
        assert hears()
        woken.clear()
        write()
        assert woken.wait(PATIENCE)
    for thread in threading.enumerate():  # or its session keeps the database from being dropped
        if isinstance(thread, listening._Listener):
            thread.join(PATIENCE)


def test_loop_says_once_that_it_hears_after_all(sandbox):
    found: list[bool] = []
    output, _script = loop(nothing, lambda: found.append(True), nothing, hears=lambda: bool(found))
    assert output == ["New messages are sent at once. The database is also polled every 1 s."]
