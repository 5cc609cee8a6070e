"""Every change of a status writes one event, in its own transaction, at a known cost."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.events.pages import next_events
from django_mobilon_sms.events.positions import Position
from django_mobilon_sms.models import SmsBatch, SmsEvent, SmsMessage, db_now
from django_mobilon_sms.outbox import send_many, stop
from django_mobilon_sms.worker import deliver, refresh
from tests.events.feed import changes
from tests.support.messages import write
from tests.support.plans import steps

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

#: These begin and end a transaction, and wake a worker after it.
MARKS = ("BEGIN", "COMMIT", "ROLLBACK", "SET SESSION", "SET TRANSACTION", "NOTIFY")


def written() -> list[tuple[int, str, str]]:
    return changes(list(SmsEvent.objects.order_by("id")))


def statements(work) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len([one for one in captured if not one["sql"].startswith(MARKS)])


def become_due() -> None:
    SmsBatch.objects.filter(next_check_at__isnull=False).update(next_check_at=db_now())


def one_batch(size: int) -> int:
    """Return the statements that a batch adds to a run."""
    write(size)
    one = statements(lambda: deliver(limit=size, batch_size=size))
    write(2 * size)
    return statements(lambda: deliver(limit=2 * size, batch_size=size)) - one


def test_message_that_is_sent_writes_an_event_for_every_step(sandbox):
    [one] = write()
    deliver()
    become_due()
    refresh()
    way = [("", "pending"), ("pending", "sending"), ("sending", "accepted"), ("accepted", "sent")]
    assert written() == [(one.pk, old, new) for old, new in way]


def test_event_of_a_claim_has_no_reason_of_an_earlier_attempt(sandbox):
    [one] = write()
    SmsMessage.objects.filter(pk=one.pk).change(error_code=ErrorCode.CONNECTION)
    deliver()
    assert SmsEvent.objects.get(status="sending").error_code == ""


def test_only_messages_that_change_write_events():
    first, second = write(2)
    both = SmsMessage.objects.filter(pk__in=[first.pk, second.pk])
    SmsMessage.objects.filter(pk=first.pk).hold(ErrorCode.HELD)
    assert both.hold(ErrorCode.LOST) == 2
    assert written()[2:] == [(first.pk, "pending", "unknown"), (second.pk, "pending", "unknown")]


def test_change_that_is_rolled_back_writes_no_event():
    [one] = write()
    with transaction.atomic():
        SmsMessage.objects.filter(pk=one.pk).cancel()
        transaction.set_rollback(True)
    assert written() == [(one.pk, "", "pending")]


def test_messages_that_are_refused_write_no_event():
    stop(["+79135292926"])
    with pytest.raises(Exception, match="stop list"):
        write()
    assert written() == []


def test_long_list_writes_as_many_events():
    rows = [{"number": "+79135292926", "text": f"Заказ {n} готов"} for n in range(1500)]
    send_many(rows)
    SmsMessage.objects.filter(status="pending").hold(ErrorCode.HELD)
    assert SmsEvent.objects.filter(old_status="", status="pending").count() == 1500
    assert SmsEvent.objects.filter(old_status="pending", status="unknown").count() == 1500


@pytest.mark.parametrize("size", [10, 100])
def test_batch_takes_one_statement_for_its_claim_and_two_for_its_outcome(sandbox, settings, size):
    write()
    deliver()  # writes the state's row
    with_events = one_batch(size)
    settings.MOBILON_SMS_EVENTS = None
    # The events of the claim; the old statuses and the events of the outcome.
    sqlite_lock = 1 if connection.vendor == "sqlite" else 0
    assert with_events == one_batch(size) + 3 + sqlite_lock


def test_new_message_takes_one_statement_more(settings):
    with_events = statements(write)
    settings.MOBILON_SMS_EVENTS = None
    assert with_events == statements(write) + 1


def test_row_that_is_saved_takes_one_insert_without_events(settings):
    """No transaction for what writes nothing more."""
    settings.MOBILON_SMS_EVENTS = None
    with CaptureQueriesContext(connection) as captured:
        SmsMessage.objects.create(number="+79135292926", text="a", source="7", segments=1)
    assert [query["sql"].split()[0] for query in captured] == ["INSERT"]


def test_statuses_take_two_statements_more(sandbox, settings):
    counts = []
    for kept in ("30d", None):
        settings.MOBILON_SMS_EVENTS = kept
        write(10)
        deliver()
        become_due()
        counts.append(statements(refresh))
    assert counts[0] == counts[1] + 2 + (1 if connection.vendor == "sqlite" else 0)


def test_reader_on_postgresql_reads_by_its_index():
    if connection.vendor != "postgresql":
        pytest.skip("an EXPLAIN of PostgreSQL")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO mobilon_sms_smsevent (guid, message_id, old_status, status, error_code,"
            " created_at, commit_order) SELECT md5(n::text)::uuid, n, '', 'pending', '', now(),"
            " n / 100 FROM generate_series(1, 20000) AS n"
        )
        cursor.execute("ANALYZE mobilon_sms_smsevent")
    with CaptureQueriesContext(connection) as captured:
        assert len(next_events(Position(50, 0), 100)) == 100
    found = list(steps(captured[-1]["sql"]))
    assert {step.get("Index Name") for step in found} - {None} == {"mobilon_sms_event_feed"}
    assert not {"Seq Scan", "Sort"} & {step["Node Type"] for step in found}
