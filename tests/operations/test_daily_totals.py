"""The daily totals: equal to what the messages say, whatever interrupts the job or deletes them."""

from __future__ import annotations

import os
import signal
import threading
from datetime import date, datetime, timedelta, timezone

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.choices import ErrorCode, Resolution, Status
from django_mobilon_sms.contrib import jobs
from django_mobilon_sms.models import (
    SECONDS,
    TAG,
    CountedDay,
    DailyTotal,
    Key,
    SmsMessage,
    Tally,
    db_now,
)
from django_mobilon_sms.models.totals import counting
from django_mobilon_sms.operations import count_days, purge, purging, read_totals
from django_mobilon_sms.worker import deliver
from tests.support.messages import write
from tests.support.plans import faults, fill

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
NOON = datetime.now(timezone.utc).replace(hour=5, minute=0, second=0, microsecond=0) - 6 * DAY
THAT_DAY = NOON.date()  # in Krasnoyarsk, where it is noon
FIRST, LAST = THAT_DAY - DAY, THAT_DAY + 4 * DAY
SENT = {"gateway_id": "a", "accepted_at": NOON}
#: One of each kind, by its tag; the last two have not ended.
KINDS = {
    "delivered": SENT | {"status": Status.DELIVERED, "took": 3},
    "sent": SENT | {"status": Status.SENT, "took": 400},
    "failed": {"status": Status.FAILED, "error_code": ErrorCode.REJECTED},
    "decided": {
        "status": Status.UNKNOWN, "error_code": ErrorCode.LOST, "resolution": Resolution.SENT,
    },
    "cancelled": {"status": Status.CANCELLED, "source": "111"},
    "undecided": {"status": Status.UNKNOWN, "error_code": ErrorCode.TIMEOUT},
    "": {"text": "я" * 100},
}  # fmt: skip
ENDED = ("delivered", "sent", "failed", "decided", "cancelled")


def put(tag="", *, at=NOON, count=1, **values):
    """Write messages of this time and tag."""
    fields = {name: values.pop(name) for name in ("source", "text") if name in values}
    if took := values.pop("took", None):
        values["sent_at"] = at + took * SECOND
    for message in write(count, tag=tag, **fields):
        found = SmsMessage.objects.filter(pk=message.pk)
        found.change(created_at=at, send_at=at, due_at=at, **values)


def put_days():
    """Write one message of each kind on each of three days."""
    for number in range(3):
        for tag, values in KINDS.items():
            put(tag, at=NOON + number * DAY, **values)


def totals():
    """Return the totals of these days, by day and in all."""
    found = read_totals(FIRST, LAST)
    return dict(found.by_day), dict(found.whole)


def chosen(found, kind):
    """Return the messages of this kind by name and status."""
    return {key[1:]: each.messages for key, each in found[1].items() if key.kind == kind}


def make_due():
    """Let the time pass after which open days are counted again."""
    CountedDay.objects.filter(counted_at__isnull=False).update(counted_at=db_now() - DAY)


def no_message_is_read():
    """Delete all messages as no door of the app does, so that only what is stored is left."""
    SmsMessage.objects.all()._raw_delete("default")


def test_stored_totals_are_those_of_the_messages():
    put_days()
    counted = totals()
    assert counted[0][THAT_DAY, Status.UNKNOWN] == Tally(2, 2)
    assert counted[0][THAT_DAY + DAY, Status.PENDING] == Tally(1, 2)
    assert chosen(counted, SECONDS) == {("3", "delivered"): 3, ("360", "sent"): 3}
    assert chosen(counted, TAG) == {
        (tag, values["status"]): 3 for tag, values in KINDS.items() if tag
    }
    count_days()
    assert totals() == counted
    no_message_is_read()
    assert totals() == counted


def test_totals_hold_neither_number_nor_text():
    assert {field.name for field in DailyTotal._meta.get_fields()} == {
        "id", "day", "deleted", "kind", "name", "status", "messages", "segments",
    }  # fmt: skip


def test_today_is_counted_by_the_reader():
    write(3)
    count_days()
    assert CountedDay.objects.count() == 0
    SmsMessage.objects.filter(pk=SmsMessage.objects.first().pk).cancel()
    SmsMessage.objects.ended().delete()
    count_days()
    assert CountedDay.objects.get().counted_at is None
    write()
    found = read_totals(date(2000, 1, 1), date(2999, 12, 31))
    assert found.whole[Key("status", "", "pending")] == Tally(3, 3)
    assert found.whole[Key("status", "", "cancelled")] == Tally(1, 1)


def test_day_is_counted_again_while_its_messages_can_change():
    put("waits")
    put("ended", at=NOON + DAY, status=Status.CANCELLED)
    count_days()
    closed = dict(CountedDay.objects.values_list("day", "closed"))
    assert (closed[THAT_DAY], closed[THAT_DAY + DAY]) == (False, True)
    SmsMessage.objects.filter(tag="waits").cancel()
    assert count_days() == 0  # it is not due yet
    assert chosen(totals(), TAG)["waits", "pending"] == 1
    at = CountedDay.objects.get(day=THAT_DAY).counted_at
    assert read_totals(FIRST, LAST).as_of == at
    make_due()
    count_days()
    assert chosen(totals(), TAG)["waits", "cancelled"] == 1
    day = CountedDay.objects.get(day=THAT_DAY)
    make_due()
    count_days()
    assert (day.closed, CountedDay.objects.get(day=THAT_DAY).version) == (True, day.version)


def test_yesterday_stays_open_for_a_transaction_that_began_on_it():
    put(at=db_now() - DAY, status=Status.CANCELLED)
    assert count_days() == 1
    assert not CountedDay.objects.get().closed


def test_job_stops_in_time_and_goes_on_later():
    put_days()
    assert count_days(seconds=0) == 0
    assert totals()[0][THAT_DAY, Status.FAILED] == Tally(1, 1)
    assert count_days() > 2


# Deleted messages


@pytest.mark.parametrize("at_once", [1, 2, 500])
@pytest.mark.parametrize("is_counted", [True, False])
def test_deleted_messages_stay_counted(monkeypatch, at_once, is_counted):
    monkeypatch.setattr(purging, "ROWS_PER_TRANSACTION", at_once)
    put_days()
    before = totals()

    def still(kept):
        assert (SmsMessage.objects.count(), totals()) == (kept, before)
        make_due()
        count_days()
        assert totals() == before

    if is_counted:
        count_days()
    SmsMessage.objects.filter(tag="failed", created_at=NOON).delete()  # one status of a day
    still(20)
    SmsMessage.objects.filter(tag="sent").first().delete()
    still(19)
    assert purge(HOUR, only_text=True).texts == 13
    still(19)
    purge(datetime.now(timezone.utc) - NOON - 2 * DAY + HOUR)  # the ended ones of two days
    still(11)
    SmsMessage.objects.filter(tag="undecided").resolve(Resolution.GIVEN_UP, by=None)
    SmsMessage.objects.filter(status=Status.PENDING).cancel()
    make_due()
    count_days()
    before = totals()
    purge(HOUR)
    still(0)


def test_purge_of_a_day_that_changes_keeps_both_right():
    put("a", status=Status.CANCELLED)
    put("a")
    purge(HOUR)
    SmsMessage.objects.all().cancel()
    make_due()
    count_days()
    assert chosen(totals(), TAG) == {("a", "cancelled"): 2}


def test_refused_deletion_changes_no_totals():
    put_days()
    count_days()
    before = totals(), list(CountedDay.objects.values())
    with pytest.raises(Exception, match="Only ended"):
        SmsMessage.objects.all().delete()
    assert (totals(), list(CountedDay.objects.values())) == before


def test_tags_of_a_day_are_limited_also_through_a_purge(monkeypatch):
    monkeypatch.setattr(counting, "MAX_TAGS", 2)
    monkeypatch.setattr(purging, "ROWS_PER_TRANSACTION", 2)
    for count, tag in enumerate(["once", "twice", "three", "four"], start=1):
        put(tag, count=count, status=Status.CANCELLED)
    named = {("four", "cancelled"): 4, ("three", "cancelled"): 3, ("", "cancelled"): 3}
    assert chosen(totals(), TAG) == named
    count_days()
    purge(HOUR)
    assert chosen(totals(), TAG) == named
    put("new", count=9)
    make_due()
    CountedDay.objects.forget(THAT_DAY)
    count_days()
    assert chosen(totals(), TAG) == named | {("", "pending"): 9}


# Several at once


def beside(work, *, at):
    """Run ``work`` in another thread before this thread's first statement with these words."""
    done = []

    def run():
        try:
            work()
        finally:
            connection.close()

    def wrapper(execute, sql, *args):
        if not done and all(word in sql for word in at):
            done.append(sql)
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
        return execute(sql, *args)

    return connection.execute_wrapper(wrapper), done


@pytest.mark.parametrize("work", [count_days, lambda: purge(HOUR)])
def test_count_that_another_overtook_is_dropped(work):
    put_days()
    before = totals()
    count_days()
    CountedDay.objects.forget(THAT_DAY)  # alone is due
    wrapper, done = beside(work, at=("UPDATE", "countedday"))  # counted, and not stored yet
    with wrapper:
        count_days()
    assert done
    assert totals() == before
    make_due()
    count_days()
    assert totals() == before


def test_report_reads_again_what_a_job_replaced_meanwhile():
    put_days()
    before = totals()
    wrapper, done = beside(count_days, at=("SELECT", "dailytotal"))
    with wrapper:
        assert totals() == before
    assert done


def test_two_purges_at_once_count_each_message_once():
    put_days()
    before = totals()
    rows = SmsMessage.objects.filter(tag="failed")
    pks = list(rows.values_list("pk", flat=True))
    threads = [threading.Thread(target=_delete_in_thread, args=(pks,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (SmsMessage.objects.filter(tag="failed").count(), totals()) == (0, before)


def _delete_in_thread(pks):
    from django_mobilon_sms.models import RETRY_SECONDS, retry_on_lock

    try:
        rows = SmsMessage.objects.filter(pk__in=pks)
        retry_on_lock(rows.all().delete, using="default", seconds=RETRY_SECONDS)
    finally:
        connection.close()


@pytest.mark.skipif(connection.vendor != "mysql", reason="its transactions may read the past")
def test_deletion_in_a_transaction_that_reads_the_past_keeps_the_totals_of_another():
    put_days()
    count_days()  # so that no row of a day is new
    before = totals()
    same_day = SmsMessage.objects.filter(created_at=NOON)
    one, other = (same_day.get(tag=tag).pk for tag in ("failed", "sent"))
    # After the first statement of the deletion, which its later ones read by.
    wrapper, done = beside(SmsMessage.objects.filter(pk=other).delete, at=("INSERT", "countedday"))
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    try:
        with wrapper:
            SmsMessage.objects.filter(pk=one).delete()
    finally:
        connection.close()
    assert done
    assert (SmsMessage.objects.count(), totals()) == (19, before)


# Kills


def killed(work, *, at):
    """Run ``work`` in a process that SIGKILL ends before this statement; return whether it did."""
    connection.close()  # two processes must not share it
    if not (pid := os.fork()):
        statements = iter(range(at))

        def die(execute, *args):
            if next(statements, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return execute(*args)

        try:
            with connection.execute_wrapper(die):
                work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL)
    return status == signal.SIGKILL


@pytest.mark.parametrize(("work", "kept"), [(count_days, 21), (lambda: purge(HOUR), 6)])
def test_totals_are_right_after_a_kill_at_any_step(monkeypatch, work, kept):
    monkeypatch.setattr(purging, "ROWS_PER_TRANSACTION", 5)
    put_days()
    before, step = totals(), 0
    while killed(work, at=step):
        assert totals() == before
        step += 1
    assert step > 10
    assert (SmsMessage.objects.count(), totals()) == (kept, before)
    make_due()
    count_days()
    assert totals() == before


# Days and clocks


@pytest.mark.parametrize(
    ("zone", "moments"),
    [
        ("Europe/Berlin", {(10, 24, 22): 25, (10, 25, 22, 59): 25, (10, 25, 23): 26}),
        # The day has no midnight.
        ("America/Santiago", {(9, 6, 3, 59): 5, (9, 6, 4): 6, (9, 7, 2, 59): 6, (9, 7, 3): 7}),
        ("Asia/Kathmandu", {(10, 4, 18, 14): 4, (10, 4, 18, 15): 5}),
    ],
)
def test_days_are_those_of_the_clock(settings, zone, moments):
    settings.TIME_ZONE = zone
    for parts, day in moments.items():
        put(str(day), at=datetime(2026, *parts, tzinfo=timezone.utc), status=Status.CANCELLED)
    period = (date(2026, 9, 1), date(2026, 11, 1))
    expected = {day: list(moments.values()).count(day) for day in moments.values()}

    def days():
        by_day = read_totals(*period).by_day.items()
        return {day.day: each.messages for (day, _status), each in by_day}

    assert days() == expected
    count_days()
    assert days() == expected
    SmsMessage.objects.all().delete()
    assert days() == expected


def test_all_days_are_counted_again_after_a_change_of_time_zone(settings, capsys):
    put(at=NOON + 12 * HOUR - 60 * SECOND, status=Status.CANCELLED)  # 23:59
    put("deleted", status=Status.CANCELLED)
    SmsMessage.objects.filter(tag="deleted").delete()
    call_command("sms_totals")
    counted = [CountedDay.objects.filter(counted_at__isnull=False).count()]
    settings.TIME_ZONE = "Asia/Vladivostok"
    call_command("sms_totals")
    assert messages_of_days() == {THAT_DAY: 2}  # as counted
    call_command("sms_totals", "--rebuild")
    assert messages_of_days() == {THAT_DAY: 1, THAT_DAY + DAY: 1}
    # One more between both midnights.
    counted.append(CountedDay.objects.filter(counted_at__isnull=False).count())
    printed = capsys.readouterr().out.splitlines()[::2]
    assert printed == [f"Counted {days} days." for days in counted]


def messages_of_days():
    return {day: each.messages for (day, _status), each in read_totals(FIRST, LAST).by_day.items()}


# Who runs it, and what it costs


def test_worker_and_task_count_the_days(sandbox, worker):
    put("a", status=Status.CANCELLED)
    write()
    worker()
    assert CountedDay.objects.get(day=THAT_DAY).closed
    CountedDay.objects.all().delete()
    jobs.refresh_statuses()
    assert CountedDay.objects.get(day=THAT_DAY).closed


def test_batch_pays_for_no_total(sandbox):
    write(3)
    with CaptureQueriesContext(connection) as captured:
        deliver()
    assert SmsMessage.objects.filter(status=Status.ACCEPTED).count() == 3
    asked = [q["sql"] for q in captured if "information_schema" not in q["sql"]]
    assert [sql for sql in asked if "dailytotal" in sql or "countedday" in sql] == []


def test_neither_job_nor_year_reads_the_whole_table():
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL's plans are read")
    fill()
    today = datetime.now(timezone.utc).date()
    for work in (count_days, lambda: read_totals(today - 365 * DAY, today)):
        with CaptureQueriesContext(connection) as captured:
            work()
        asked = [q["sql"] for q in captured if q["sql"].startswith("SELECT")]
        of_messages = [sql for sql in asked if SmsMessage._meta.db_table in sql]
        assert of_messages
        assert {sql: found for sql in of_messages if (found := faults(sql))} == {}
    assert len(of_messages) < 12  # of today only
