"""What was proved is not forgotten: workers killed, databases lost, replies that come late."""

from __future__ import annotations

import logging
import signal
import socket
import sqlite3
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.db import (
    DatabaseError,
    Error,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)

from django_mobilon_sms.choices import Resolution
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.worker import deliver, outcome_recording, sweep_leftovers
from tests.endurance.test_processes import start
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

HOUR = timedelta(hours=1)
on_a_server = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server")


def rows(*fields):
    return list(SmsMessage.objects.order_by("pk").values_list(*fields))


def let_leases_end():
    SmsBatch.objects.update(lease_until=db_now() - HOUR)


# Killed


def kill_a_worker(sandbox, monkeypatch, point):
    """A real worker that ends as by ``kill -9`` at this point, after its one request's reply."""
    monkeypatch.setenv("DIE", point)
    process = start(sandbox, "--settings=tests.support.deadly", "--no-refresh")
    _output, errors = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, errors
    assert len(sandbox.posts) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "outcome", "code", "after", "posts"),
    [
        ("shuffled", "answered", 0, [("accepted", "")] * 3, 1),
        ("html", "no_proof", 4, [("unknown", "bad_reply")] * 3, 1),
        ("http_429", "refused", 0, [("accepted", "")] * 3, 2),  # put back, and sent again
    ],
)
def test_outcome_written_by_a_worker_that_was_killed_is_applied_at_once_whatever_the_lease(
    sandbox, worker, monkeypatch, fault, outcome, code, after, posts
):
    write(3)
    sandbox.fault(fault)
    kill_a_worker(sandbox, monkeypatch, "after_close")
    assert rows("status", "batch__outcome", "batch__applied_at") == [("sending", outcome, None)] * 3
    assert not SmsBatch.objects.lost().exists()
    assert worker("--no-refresh").code == code
    assert rows("status", "error_code") == after
    assert len(sandbox.posts) == posts
    assert {sandbox.copies(guid) for (guid,) in rows("guid")} == {1}
    assert worker("--no-refresh") == (0, "Nothing to do.\n")


@pytest.mark.slow
@pytest.mark.parametrize("point", ["before_record", "in_record", "before_commit"])
def test_worker_killed_before_its_outcome_was_committed_leaves_its_messages_unknown_at_lease_end(
    sandbox, worker, monkeypatch, point
):
    write(3)
    kill_a_worker(sandbox, monkeypatch, point)
    assert worker("--no-refresh") == (0, "Nothing to do.\n")
    assert rows("status", "batch__outcome") == [("sending", "")] * 3
    let_leases_end()
    assert worker("--no-refresh").code == 4
    assert rows("status", "error_code", "batch__outcome") == [("unknown", "lost", "lost")] * 3
    assert worker("--no-refresh") == (0, "Nothing to do.\n")
    assert len(sandbox.posts) == 1


@pytest.mark.slow
def test_worker_killed_after_it_recorded_leaves_nothing_to_do(sandbox, worker, monkeypatch):
    write(3)
    kill_a_worker(sandbox, monkeypatch, "after_record")
    assert rows("status") == [("accepted",)] * 3
    let_leases_end()
    assert worker("--no-refresh") == (0, "Nothing to do.\n")
    assert rows("status") == [("accepted",)] * 3


# The database is lost between the reply and its record


class Proxy:
    """A server's way of being away: no connection lives, and nobody listens."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.port = 0
        self.open = []

    def end(self):
        self.server = socket.create_server(("127.0.0.1", self.port))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.server,), daemon=True).start()

    def begin(self):
        with suppress(OSError):  # it is cut already
            self.server.shutdown(socket.SHUT_RDWR)  # wakes the one who accepts
        self.server.close()
        for end in self.open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.open.clear()

    def _accept(self, server):
        with suppress(OSError):
            while True:
                near, _address = server.accept()
                far = socket.create_connection(self.target)
                self.open += [near, far]
                for source, sink in [(near, far), (far, near)]:
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source, sink):
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)


class LockedFile:
    """SQLite's way of being away: another connection has the file for itself."""

    holder = None

    def begin(self):
        name = connection.settings_dict["NAME"]
        self.holder = sqlite3.connect(name, check_same_thread=False, isolation_level=None)
        self.holder.execute("BEGIN EXCLUSIVE")

    def end(self):
        if self.holder is not None:
            self.holder.close()


#: What lets a connection wait for another's lock only shortly.
SHORT_WAITS = {
    "sqlite": {"timeout": 0.05},
    "postgresql": {"options": "-c lock_timeout=50ms"},
    "mysql": {
        "init_command": "SET sql_mode='STRICT_TRANS_TABLES', time_zone='+00:00',"
        " innodb_lock_wait_timeout=1"
    },
}


@pytest.fixture
def short_waits(monkeypatch):
    """All connections from now on wait for a lock only shortly."""
    options = connection.settings_dict["OPTIONS"] | SHORT_WAITS[connection.vendor]
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    yield
    connection.close()


@pytest.fixture
def absence(short_waits):
    """``begin()``: this database answers nothing; ``end()``: it does again."""
    if connection.vendor == "sqlite":
        file = LockedFile()
        yield file
        file.end()
        return
    address = {key: connection.settings_dict[key] for key in ("HOST", "PORT")}
    proxy = Proxy(address["HOST"], int(address["PORT"]))
    proxy.end()
    connection.close()
    connection.settings_dict.update(HOST="127.0.0.1", PORT=proxy.port)
    yield proxy
    connection.close()
    connection.settings_dict.update(address)
    proxy.begin()


@contextmanager
def at_the_first_retry(act):
    """Call ``act`` when the app has begun to wait for its database."""

    class Listener(logging.Handler):
        def emit(self, record):
            logger.removeHandler(self)
            act()

    logger, listener = logging.getLogger("django_mobilon_sms.database.retry_on_lock"), Listener()
    logger.addHandler(listener)
    try:
        yield
        assert listener not in logger.handlers, "There was nothing to wait for."
    finally:
        logger.removeHandler(listener)


def test_database_that_was_away_when_the_reply_came_gets_the_truth_when_it_is_back(
    sandbox, worker, absence
):
    write(3)
    sandbox.on_request = lambda exchange: absence.begin()
    with at_the_first_retry(absence.end):
        assert worker("--no-refresh") == (0, "Messages: 3 accepted\n")
    assert rows("status") == [("accepted",)] * 3
    assert len(sandbox.posts) == 1


@on_a_server
def test_connection_that_was_killed_between_reply_and_record_is_opened_anew(sandbox, worker):
    write(3)
    if connection.vendor == "postgresql":
        mine = "SELECT pg_backend_pid()"
        kill = "SELECT pg_terminate_backend(%s)"
        alive = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
    else:
        mine = "SELECT connection_id()"
        kill = "KILL %s"
        alive = "SELECT 1 FROM information_schema.processlist WHERE id = %s"
    with connection.cursor() as cursor:
        cursor.execute(mine)
        worker_id = cursor.fetchone()

    def kill_it(exchange):
        with connection.cursor() as cursor:
            cursor.execute(kill, worker_id)
            cursor.execute(alive, worker_id)
            while cursor.fetchone():  # it ends soon after the KILL
                cursor.execute(alive, worker_id)
        connection.close()

    sandbox.on_request = kill_it
    with at_the_first_retry(lambda: None):
        assert worker("--no-refresh") == (0, "Messages: 3 accepted\n")
    assert rows("status") == [("accepted",)] * 3
    assert len(sandbox.posts) == 1


#: What makes a session refuse every write.
READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
}


@pytest.fixture
def own_session(monkeypatch):
    """A session that lives on, as with ``CONN_MAX_AGE``, until the test ends."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    connection.close()
    yield
    connection.close()


def make_read_only(session):
    cursor = session.cursor()
    cursor.execute(READ_ONLY[connection.vendor])
    cursor.close()


@pytest.mark.parametrize("act", [make_read_only, lambda session: session.close()])
def test_session_that_became_useless_while_the_reply_was_awaited_is_replaced(
    sandbox, worker, settings, own_session, act
):
    settings.MOBILON_SMS_TIMEOUT, settings.MOBILON_SMS_LEASE = 10, 30
    write(3)
    session = connection.connection
    sandbox.on_request = lambda exchange: act(session)
    with at_the_first_retry(lambda: None):
        assert worker("--no-refresh") == (0, "Messages: 3 accepted\n")
    assert rows("status") == [("accepted",)] * 3
    assert len(sandbox.posts) == 1


def test_reply_waits_until_a_database_is_no_longer_read_only(sandbox, worker, own_session):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL makes one database read-only, even for its superuser")
    write(3)
    name, session = connection.settings_dict["NAME"], connection.connection

    def switch(word):
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")
            cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {word}")
        connection.close()

    def switch_over(exchange):
        switch("on")
        make_read_only(session)

    sandbox.on_request = switch_over
    try:
        with at_the_first_retry(lambda: switch("off")):
            assert worker("--no-refresh") == (0, "Messages: 3 accepted\n")
    finally:
        switch("off")
    assert rows("status") == [("accepted",)] * 3
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize(
    "error",
    [
        Error,
        InterfaceError,
        DatabaseError,
        OperationalError,
        InternalError,
        ProgrammingError,
        NotSupportedError,
    ],
)
def test_reply_outlives_every_error_that_is_not_about_its_rows(sandbox, worker, monkeypatch, error):
    write(3)
    record, raised = outcome_recording.record_all, []

    def fail_twice(results):
        if len(raised) < 2:
            raised.append(error)
            raise error
        return record(results)

    # No server raises each of them when it is asked to.
    monkeypatch.setattr(outcome_recording, "record_all", fail_twice)
    assert worker("--no-refresh") == (0, "Messages: 3 accepted\n")
    assert rows("status") == [("accepted",)] * 3
    assert len(sandbox.posts) == 1


def test_breaker_that_cannot_be_written_does_not_cost_the_replies_of_others(
    sandbox, worker, monkeypatch
):
    GatewayState.objects.current()  # writes the row
    write(9)
    together = threading.Barrier(4, timeout=30)
    sandbox.fault("code_200", times=1)
    sandbox.fault("http", code=500, times=4)
    sandbox.on_request = lambda exchange: len(sandbox.posts) > 1 and together.wait()

    def refuse(result):
        if result.is_trouble:
            raise ProgrammingError

    # No server refuses this one row only.
    monkeypatch.setattr(outcome_recording, "_update_breaker", refuse)
    assert worker("--no-refresh", "--batch-size=1", "--concurrency=5").code == 1
    assert Counter(rows("status", "batch__outcome")) == {
        ("accepted", "answered"): 1,
        ("unknown", "no_proof"): 4,
        ("pending", None): 4,
    }


def test_outcome_that_the_database_could_not_take_in_time_is_held_and_never_sent_again(
    sandbox, worker, settings, absence
):
    write(3)

    def leave(exchange):
        settings.MOBILON_SMS_LEASE = 1  # the worker waits for its database as long as that
        absence.begin()

    sandbox.on_request = leave
    assert worker("--no-refresh").code == 1
    absence.end()
    settings.MOBILON_SMS_LEASE = 300
    assert rows("status", "batch__outcome") == [("sending", "")] * 3
    let_leases_end()
    assert worker("--no-refresh").code == 4
    assert rows("status", "error_code") == [("unknown", "lost")] * 3
    assert len(sandbox.posts) == 1


# The database takes the batch, but not its messages

TRIGGERS = {
    "sqlite": """
        CREATE TRIGGER refusal BEFORE UPDATE ON mobilon_sms_smsmessage WHEN old.text = 'stuck'
        BEGIN SELECT RAISE(ABORT, 'refused'); END""",
    "mysql": """
        CREATE TRIGGER refusal BEFORE UPDATE ON mobilon_sms_smsmessage FOR EACH ROW
        IF old.text = 'stuck' THEN SIGNAL SQLSTATE '22003' SET MYSQL_ERRNO = 1264; END IF""",
    "postgresql": """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '22003'; END $$;
        CREATE TRIGGER refusal BEFORE UPDATE ON mobilon_sms_smsmessage FOR EACH ROW
        WHEN (old.text = 'stuck') EXECUTE FUNCTION refuse()""",
}


@pytest.fixture
def refusal():
    """``begin()``: the database refuses any update of a message with the text ``stuck``."""
    yield Refusal()
    Refusal().end()


class Refusal:
    def begin(self):
        self._execute(TRIGGERS[connection.vendor])
        connection.close()  # the thread's

    def end(self):
        if connection.vendor == "postgresql":
            self._execute("DROP FUNCTION IF EXISTS refuse() CASCADE")
        else:
            self._execute("DROP TRIGGER IF EXISTS refusal")

    def _execute(self, sql):
        with connection.cursor() as cursor:
            cursor.execute(sql)


def test_outcome_that_does_not_fit_the_messages_is_kept_with_the_batch_until_it_does(
    sandbox, worker, refusal
):
    write(3, text="stuck")
    sandbox.on_request = lambda exchange: refusal.begin()
    assert worker("--no-refresh").code == 1
    assert (
        rows("status", "batch__outcome", "batch__applied_at") == [("sending", "answered", None)] * 3
    )
    # Later runs try again, and send what else there is.
    sandbox.on_request = None
    write(1)
    assert worker("--no-refresh").code == 1
    assert rows("status") == [("sending",)] * 3 + [("accepted",)]
    refusal.end()
    assert worker("--no-refresh") == (0, "Messages: 3 accepted\n")
    ids = {message.guid: message.id for message in sandbox.messages}
    assert rows("status", "gateway_id") == [
        ("accepted", ids[str(guid)]) for (guid,) in rows("guid")
    ]
    assert len(sandbox.posts) == 2


@on_a_server
def test_outcome_of_messages_that_another_has_locked_is_kept_with_the_batch(
    sandbox, worker, settings, short_waits
):
    [message] = write()
    locked, unlock = threading.Event(), threading.Event()

    def lock():
        with transaction.atomic():
            SmsMessage.objects.select_for_update().get(pk=message.pk)
            locked.set()
            assert unlock.wait(120)
        connection.close()

    holder = threading.Thread(target=lock)

    def lock_it(exchange):
        settings.MOBILON_SMS_LEASE = 1  # the worker waits for its database as long as that
        holder.start()
        assert locked.wait(120)

    sandbox.on_request = lock_it
    assert worker("--no-refresh").code == 1
    unlock.set()
    holder.join()
    settings.MOBILON_SMS_LEASE = 300
    assert rows("status", "batch__outcome", "batch__applied_at") == [("sending", "answered", None)]
    assert worker("--no-refresh") == (0, "Messages: 1 accepted\n")
    assert len(sandbox.posts) == 1


# Replies that come after their batch was given up


def deliver_too_late(sandbox, meanwhile=lambda: None):
    """Deliver with a reply that comes after the lease and a sweep; returns the report."""

    def give_up(exchange):
        sandbox.on_request = None
        let_leases_end()
        assert sweep_leftovers().statuses == {"unknown": 1}
        meanwhile()
        connection.close()

    sandbox.on_request = give_up
    return deliver()


@pytest.mark.parametrize(
    ("meanwhile", "resolution", "resends"),
    [
        (lambda: None, "", 0),
        (lambda: SmsMessage.objects.resolve(Resolution.GIVEN_UP, by=None), "given_up", 0),
        (lambda: SmsMessage.objects.resolve(Resolution.SENT, by=None), "sent", 0),
        (lambda: SmsMessage.objects.resend(by=None), "", 1),
    ],
    ids=["nobody_decided", "given_up", "said_to_be_sent", "resend_not_yet_claimed"],
)
def test_reply_after_its_batch_was_given_up_still_counts(
    sandbox, worker, meanwhile, resolution, resends
):
    write()
    report = deliver_too_late(sandbox, meanwhile)
    assert (report.statuses, report.exit_code) == ({"accepted": 1}, 0)
    [taken] = sandbox.messages
    fields = ("status", "gateway_id", "error_code", "resolution", "resends")
    assert rows(*fields) == [("accepted", taken.id, "", resolution, resends)]
    assert worker("--no-refresh") == (0, "Nothing to do.\n")
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize(
    ("fault", "status", "error_code"),
    [("shuffled", "accepted", ""), ("html", "unknown", "bad_reply")],
)
def test_reply_after_a_resend_was_claimed_stays_in_the_journal(sandbox, fault, status, error_code):
    [message] = write()

    def send_again():
        assert SmsMessage.objects.resend(by=None) == 1
        sandbox.fault(fault)
        deliver()

    report = deliver_too_late(sandbox, send_again)
    assert report.statuses == {}
    first, second = SmsBatch.objects.order_by("created_at")
    one, two = sandbox.messages
    assert (first.outcome, first.reply) == ("answered", [[str(message.guid), 0, one.id]])
    assert first.applied_at is not None
    gateway_id = two.id if status == "accepted" else ""
    assert rows("status", "error_code", "gateway_id", "batch") == [
        (status, error_code, gateway_id, second.pk)
    ]
