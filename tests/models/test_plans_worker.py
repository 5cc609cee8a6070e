"""The statements and requests of the worker: how many, and their plans."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.choices import Priority, Status
from django_mobilon_sms.database.lock_waits import LOCK_SECONDS
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.worker import candidates, deliver, refresh, seconds_to_work
from tests.support.messages import write
from tests.support.plans import faults, fill, steps

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

#: These begin and end a transaction, and are not counted.
MARKS = ("BEGIN", "COMMIT", "ROLLBACK", "SET ")
#: Begins a statement on MariaDB that waits for a lock only shortly.
LIMITED = f"SET STATEMENT innodb_lock_wait_timeout={LOCK_SECONDS} FOR "


def statements(work):
    """The SQL that the function executes."""
    with CaptureQueriesContext(connection) as captured:
        work()
    made = [query["sql"].partition(LIMITED)[2] or query["sql"] for query in captured]
    return [sql for sql in made if not sql.startswith(MARKS)]


def beginnings(asked):
    """The first word and the table of each statement: ``UPDATE smsbatch``."""
    verbs = []
    for sql in asked:
        tables = [name for name in ("smsbatch", "gatewaystate", "smsmessage") if name in sql]
        verbs.append(f"{sql.split()[0]} {tables[0] if tables else ''}".strip())
    return verbs


def become_due():
    """Make all statuses due."""
    asked = SmsBatch.objects.filter(next_check_at__isnull=False)
    asked.update(next_check_at=db_now() - timedelta(seconds=1))


# The due messages; the batch, if the state lets it be sent, the claim, the stop list; the outcome,
# its messages.
BATCH = ["SELECT smsmessage", "INSERT smsbatch", "UPDATE smsmessage", "SELECT smsmessage"]
BATCH += ["UPDATE smsbatch", "UPDATE smsmessage"]


@pytest.mark.parametrize("size", [10, 100])
@pytest.mark.parametrize("priority", Priority)
def test_batch_takes_six_statements_and_one_request_whatever_its_size(sandbox, size, priority):
    write(priority=priority)
    deliver()  # writes the state's row
    write(size, priority=priority)
    one = statements(lambda: deliver(limit=size, batch_size=size))
    write(2 * size, priority=priority)
    two = statements(lambda: deliver(limit=2 * size, batch_size=size))
    assert len(two) - len(one) == len(BATCH)
    assert beginnings(one)[-len(BATCH) :] == BATCH
    assert [len(post.objects) for post in sandbox.posts] == [1, size, size, size]


def test_run_with_nothing_to_do_takes_five_statements_at_most(sandbox, worker):
    write()
    worker()
    asked = statements(worker)
    # Is it fit? It names all tables, of which the first counts here.
    mariadb = ["SELECT smsbatch"] if connection.vendor == "mysql" else []
    assert beginnings(asked) == [
        *mariadb,
        "SELECT smsbatch",  # is there anything to sweep?
        "SELECT smsmessage",  # to send?
        "SELECT gatewaystate",
        "SELECT smsbatch",  # to ask for?
        "SELECT",  # a mailing to forget?
    ]
    assert len(sandbox.posts) == 1


#: Take due batches: find them, read their messages, set their next query.
TAKEN = ["SELECT smsbatch", "SELECT smsmessage", "UPDATE smsbatch"]
#: Record reports: change the messages, end the queries of their batches.
RECORDED = ["UPDATE smsmessage", "UPDATE smsbatch"]


@pytest.mark.parametrize("size", [10, 100])
def test_refresh_takes_five_statements_and_one_request_for_a_hundred(sandbox, size):
    write(size)
    deliver()
    become_due()
    heard = len(sandbox.exchanges)
    asked = statements(refresh)
    # It looks for more due batches before it records the reports.
    assert beginnings(asked) == [*TAKEN, "SELECT smsbatch", *RECORDED]
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"sent"}
    assert len(sandbox.exchanges) == heard + 1


def test_reports_are_recorded_while_the_next_requests_wait_for_the_gateway(sandbox, monkeypatch):
    write(200)
    deliver()
    become_due()
    asked = statements(refresh)
    assert beginnings(asked) == [*TAKEN, *TAKEN, *RECORDED, "SELECT smsbatch", *RECORDED]
    write(200)
    deliver()
    become_due()
    monkeypatch.setattr("django_mobilon_sms.worker.statuses.queries.LONG_ROUND", 0)
    # After a long round its own batches may be due again, so they are recorded first.
    one = [*TAKEN, *RECORDED]
    assert beginnings(statements(refresh)) == [*one, *one, "SELECT smsbatch"]


#: The indexes that hold every message, whatever its status.
ALWAYS = {"created", "number", "status", "batch_id", "guid", "pkey"}


def holding(message):
    """Name the indexes of PostgreSQL that hold the message: each of its updates writes to them."""
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL writes to indexes whose values stay")
    table = message._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text, coalesce(pg_get_expr(indpred, indrelid), 'true')"
            " FROM pg_index WHERE indrelid = %s::regclass",
            [table],
        )
        conditions = dict(cursor.fetchall())
        held = []
        for name, condition in conditions.items():
            cursor.execute(f"SELECT 1 FROM {table} WHERE id = {message.pk} AND ({condition})")
            held += [name] * cursor.rowcount
    # Some names end with a hash; ``guid`` has its constraint's.
    return {re.sub("^mobilon_sms_(smsmessage_)?|_[0-9a-f]{8}$|_key$", "", name) for name in held}


def test_claim_writes_to_six_indexes_and_an_acceptance_to_seven(sandbox):
    [message] = write()
    assert holding(message) == {*ALWAYS, "claim", "paced_claim"}
    held = []

    def look(exchange):
        held.append(holding(message))
        connection.close()  # of the gateway's thread

    sandbox.on_request = look
    deliver()
    sandbox.on_request = None
    assert held == [ALWAYS]
    assert holding(message) == {*ALWAYS, "gateway_id"}
    become_due()
    refresh()
    assert holding(message) == {*ALWAYS, "gateway_id", "sent"}


def test_key_of_the_batch_is_not_checked_by_the_database():
    with connection.cursor() as cursor:
        checked = connection.introspection.get_relations(cursor, SmsMessage._meta.db_table)
    people = {"created_by_id", "resolved_by_id", "resent_by_id", "cancelled_by_id"}
    assert set(checked) == {"mailing_id", *people}


@pytest.fixture
def full():
    """A full table, where plans can be read: half of what waits is scheduled for later."""
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL's plans are read")
    fill(40_000)
    waiting = SmsMessage.objects.filter(status=Status.PENDING)
    later = list(waiting.values_list("pk", flat=True)[::2])
    waiting.change(attempts=0)
    waiting.filter(pk__in=later).change(due_at=db_now() + timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE mobilon_sms_smsmessage")


def indexes(sql):
    return {step["Index Name"] for step in steps(sql) if "Index Name" in step}


def test_rows_are_found_by_their_keys_even_if_the_statistics_are_old(sandbox, full):
    with connection.cursor() as cursor:  # as where nothing was analyzed yet
        cursor.execute(
            "DELETE FROM pg_statistic WHERE starelid = 'mobilon_sms_smsmessage'::regclass"
        )
    asked = statements(lambda: deliver(limit=100))
    become_due()
    asked += statements(refresh)
    updates = [sql for sql in asked if sql.startswith("UPDATE") and '"id" IN (' in sql]
    assert len(updates) >= 5
    with connection.cursor() as cursor:
        made = {}
        for model in (SmsMessage, SmsBatch):
            made |= connection.introspection.get_constraints(cursor, model._meta.db_table)
    keys = {name for name, about in made.items() if about["columns"] in (["id"], ["batch_id"])}
    assert {sql: used for sql in updates if (used := indexes(sql) - keys)} == {}


def sorts(sql):
    return [step for step in steps(sql) if step["Node Type"] == "Sort"]


def test_due_messages_are_found_by_their_index(full):
    [due] = [sql for sql in statements(lambda: candidates.due(100, 100)) if "UNION ALL" in sql]
    looked_up = [step["Index Cond"] for step in steps(due) if "Index Name" in step]
    assert len(looked_up) == len(Priority)
    for condition in looked_up:
        assert re.findall(r"\b(status|priority|due_at)\b", condition) == [
            "status",
            "priority",
            "due_at",
        ]


def test_due_of_a_sender_with_a_pace_reads_nothing_of_another(sandbox, full, settings):
    settings.MOBILON_SMS_RATE = {"89234560009": "1/h", "*": "200/s"}
    write(3, source="89234560009")
    settings.MOBILON_SMS_DAILY_LIMIT = {"*": 200}
    asked = statements(lambda: deliver(limit=100))
    assert len(sandbox.posts) == 1
    messages = [sql for sql in asked if "smsmessage" in sql and not sql.startswith("INSERT")]
    assert {sql: found for sql in messages if (found := faults(sql))} == {}
    due = [sql for sql in asked if "UNION ALL" in sql]
    assert due
    assert not any(sorts(sql) for sql in due)
    paced = [sql for sql in messages if '"source" ' in sql.partition("WHERE")[2]]
    assert len(paced) > len(due)
    assert all("mobilon_sms_paced_claim" in indexes(sql) for sql in paced)


def test_claim_and_record_read_no_whole_table_and_sort_nothing(sandbox, full):
    GatewayState.objects.current()  # writes the row
    asked = statements(lambda: deliver(limit=100))
    assert len(sandbox.posts) == 1
    explained = [sql for sql in asked if not sql.startswith("INSERT")]
    assert {sql: found for sql in explained if (found := faults(sql))} == {}
    [due] = [sql for sql in asked if "UNION ALL" in sql]
    assert not sorts(due)


def test_refresh_of_several_requests_takes_no_more_statements(sandbox):
    write(500)
    deliver()
    become_due()
    asked = beginnings(statements(refresh))
    assert len(asked) == 5 + 5 + 1  # the first request alone, then four at once
    assert asked.count("UPDATE smsmessage") == 2


def test_refresh_reads_no_whole_table(sandbox, full):
    deliver(limit=200)
    become_due()
    asked = statements(refresh)
    assert len(asked) >= 4
    assert {sql: found for sql in asked if (found := faults(sql, most=200))} == {}


def test_poll_of_an_idle_loop_is_one_query_that_reads_no_whole_table(full):
    GatewayState.objects.current()
    [asked] = statements(seconds_to_work)
    assert not faults(asked)
    used = indexes(asked)
    for name in ("claim", "batch_check", "expiry"):
        assert f"mobilon_sms_{name}" in used


def test_poll_reads_no_whole_table_even_if_many_were_being_sent_at_the_last_analyze(full):
    GatewayState.objects.current()
    waiting = SmsMessage.objects.filter(status=Status.PENDING).values_list("pk", flat=True)
    batch = SmsBatch.objects.create(worker="w:1", lease_until=db_now() + timedelta(hours=1))
    assert SmsMessage.objects.claim(batch, list(waiting[:1000])) == 1000
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE mobilon_sms_smsmessage")
    [asked] = statements(seconds_to_work)
    assert not faults(asked)
    assert "mobilon_sms_status" in indexes(asked)
    assert SmsMessage._meta.db_table + "_pkey" not in indexes(asked)
