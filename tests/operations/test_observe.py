"""`operations.observe()`: what it costs, and the figures of the last minutes."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.choices import ErrorCode, Outcome, Status
from django_mobilon_sms.models import GatewayState, Heartbeat, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.operations import (
    SendingState,
    monitoring,
    observe,
    recent_requests,
    sending_state,
)
from django_mobilon_sms.operations.sending_state import WORDS
from tests.support.messages import write
from tests.support.plans import faults, fill

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)

#: Gives each hundred of the filled messages a batch, the last of them minutes ago.
BATCHES = """
INSERT INTO mobilon_sms_smsbatch (
    id, worker, created_at, lease_until, breaker_changes, outcome, error_code, closed_at,
    applied_at, message_count, packed_guids, answers
)
SELECT md5('b' || n::text)::uuid, 'w', at, at, 0, 'answered', '', at, at, 100, '', '[]'
FROM (
    SELECT n, now() - (%(count)s - n) * interval '3 seconds' AS at
    FROM generate_series(1, %(count)s) AS n
) AS numbered
"""
TAKE = """
UPDATE mobilon_sms_smsmessage SET batch_id = md5('b' || (id %% %(count)s + 1)::text)::uuid
WHERE status <> 'pending'
"""


def statements() -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        observe()
    return [query["sql"] for query in captured]


def batch(*, ago: timedelta = MINUTE, outcome: str = Outcome.ANSWERED, error_code: str = ""):
    return SmsBatch.objects.create(
        worker="w",
        lease_until=db_now(),
        created_at=db_now() - ago,
        closed_at=db_now() if outcome else None,
        outcome=outcome,
        error_code=error_code,
    )


def accepted(of: SmsBatch, *, after: timedelta) -> None:
    """Write a message that was accepted so long after it was due."""
    [message] = write()
    SmsMessage.objects.filter(pk=message.pk).change(
        status=Status.ACCEPTED,
        batch=of,
        gateway_id=message.guid.hex,
        due_at=db_now() - MINUTE,
        accepted_at=db_now() - MINUTE + after,
    )


def test_its_statements_are_the_same_however_many_messages_there_are(sandbox, worker):
    assert len(statements()) == 21  # no worker was ever seen, so waiting messages are counted
    write()
    worker("--no-refresh")
    assert len(statements()) == 19
    write()
    assert len(statements()) == 20  # since when nothing was sent, although a message waits
    write(120)
    worker("--no-refresh", "--batch-size", "10")
    write(120)
    assert len(statements()) == 20
    Heartbeat.objects.all().delete()
    assert len(statements()) == 23  # the most there are


def test_last_message_may_be_claimed_while_it_counts(settings, monkeypatch):
    settings.MOBILON_SMS_RATE = "10/m"
    write()
    senders = monitoring.senders

    def claimed_meanwhile():
        SmsMessage.objects.all().cancel()
        return senders()

    # Between two statements of one thread nobody else can be made to come.
    monkeypatch.setattr(monitoring, "senders", claimed_meanwhile)
    seen = observe()
    assert (seen.waiting, seen.time_to_empty) == (1, timedelta())


def test_it_reads_no_whole_table():
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL's plans are read")
    fill(40_000)
    with connection.cursor() as cursor:
        cursor.execute(BATCHES, {"count": 20_000})
        cursor.execute(TAKE, {"count": 20_000})
        cursor.execute("ANALYZE mobilon_sms_smsbatch")
        cursor.execute("ANALYZE mobilon_sms_smsmessage")
    tables = (SmsMessage._meta.db_table, SmsBatch._meta.db_table)
    asked = [(table, sql) for sql in statements() for table in tables if table in sql]
    assert Counter(table for table, _ in asked) == {tables[0]: 16, tables[1]: 5}
    found = {sql: steps for table, sql in asked if (steps := faults(sql, table=table))}
    assert found == {}


def test_requests_of_the_last_minutes_are_counted_by_result():
    for _ in range(2):
        batch()
    batch(outcome=Outcome.REFUSED, error_code=ErrorCode.CREDENTIALS)
    batch(outcome="")
    batch(ago=11 * MINUTE)
    found = observe().recent_requests
    assert sorted((r.outcome, r.error_code, r.requests) for r in found) == [
        ("", "", 1),
        ("answered", "", 2),
        ("refused", "credentials", 1),
    ]


def test_time_from_due_to_accepted_is_a_histogram():
    recent = batch()
    for seconds in (0.5, 4, 5, 120, 4000):
        accepted(recent, after=seconds * SECOND)
    accepted(recent, after=-SECOND)  # "Send now" sent it before its time
    accepted(batch(ago=11 * MINUTE), after=SECOND)
    found = observe().accepted_after
    assert found.within == {
        "1": 1, "5": 3, "15": 3, "60": 3, "300": 4, "900": 4, "3600": 4, "+Inf": 5
    }  # fmt: skip
    assert found.total == pytest.approx(4129.5 * SECOND, abs=SECOND)


def test_only_the_newest_requests_are_read(monkeypatch):
    monkeypatch.setattr(recent_requests, "MOST_REQUESTS", 3)
    monkeypatch.setattr(recent_requests, "MOST_ANSWERED", 2)
    for minutes in (4, 3, 2, 1):
        accepted(batch(ago=minutes * MINUTE), after=SECOND)
    seen = observe()
    assert [r.requests for r in seen.recent_requests] == [3]
    assert seen.accepted_after.within["+Inf"] == 2


def test_every_word_has_a_sentence():
    now = GatewayState.objects.peek().now
    for word in WORDS:
        assert str(SendingState(word, since=now, until=now))
    with pytest.raises(KeyError):
        sending_state._sentences(SendingState("nonsense"))
