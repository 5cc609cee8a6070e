"""The feed: every event once, in order, whatever commits when; and cursors that never skip."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from django_mobilon_sms import events
from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.exceptions import CursorExpired, InvalidCursor
from django_mobilon_sms.models import EventFeed, SmsEvent, SmsMessage
from tests.events.feed import changes, read_on
from tests.support.lock_waits import held, in_threads, waiting
from tests.support.messages import write
from tests.support.workers import PATIENCE, wait_until

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]


def has_many_writers() -> bool:
    return connection.vendor != "sqlite"


def test_creation_and_changes_come_in_order_with_their_reasons():
    [one] = write()
    SmsMessage.objects.filter(pk=one.pk).hold(ErrorCode.HELD)
    SmsMessage.objects.filter(pk=one.pk).resend(by=None)
    page = read_on(3)
    assert [(event.type, event.old_status, event.error_code) for event in page.events] == [
        ("message.pending", "", ""),
        ("message.unknown", "pending", "held"),
        ("message.pending", "unknown", ""),
    ]
    assert {(event.guid, event.message_id) for event in page.events} == {(one.guid, one.pk)}
    assert events.read(after=page.cursor) == events.Page([], page.cursor)


def test_open_transaction_holds_back_what_committed_after_it_began():
    before = events.newest()
    guid = uuid4()
    with held(lambda: write(guid=guid)) as commit:
        if has_many_writers():
            [second] = write()
        for _ in range(3):
            assert events.read(after=before) == events.Page([], before)
        commit()
    if not has_many_writers():
        [second] = write()
    first = SmsMessage.objects.get(guid=guid)
    found = read_on(2, before).events
    assert changes(found) == [(first.pk, "", "pending"), (second.pk, "", "pending")]


def test_transaction_that_is_rolled_back_leaves_no_gap_that_is_waited_for():
    before = events.newest()
    with transaction.atomic():
        write()
        transaction.set_rollback(True)
    [kept] = write()
    assert changes(read_on(1, before).events) == [(kept.pk, "", "pending")]


def test_writers_that_commit_in_another_order_lose_no_event():
    """Three writers begin one after another and commit from the last to the first."""
    if not has_many_writers():
        pytest.skip("one writer at a time")
    cursor, found = events.newest(), []
    with held(write) as third, held(write) as second, held(write) as first:
        for commit in (first, second, third):
            commit()
            page = events.read(after=cursor, limit=1)
            cursor = page.cursor
            found += page.events
    rest = read_on(3 - len(found), cursor, limit=1)
    found += rest.events
    assert sorted(event.message_id for event in found) == sorted(
        SmsMessage.objects.values_list("pk", flat=True)
    )


def test_changes_of_a_message_come_in_order_although_the_later_transaction_began_first():
    """The second change has the older transaction: it wrote something else before."""
    if not has_many_writers():
        pytest.skip("one writer at a time")
    [one], cursor = write(), read_on(1).cursor
    began, change = [], SmsMessage.objects.filter(pk=one.pk)

    def cancel_after_waiting() -> None:
        with transaction.atomic():
            EventFeed.objects.create(pk=7)  # gives this transaction its id
            began.append(True)
            wait_until(lambda: len(began) == 2)
            change.end("cancelled", ErrorCode.CANCELLED)

    with in_threads() as start:
        late = start(cancel_after_waiting)
        wait_until(lambda: began)
        with held(lambda: change.hold(ErrorCode.HELD)) as commit:
            began.append(True)
            wait_until(waiting)
            commit()
        late.result(PATIENCE)
    assert changes(read_on(2, cursor, limit=1).events) == [
        (one.pk, "pending", "unknown"),
        (one.pk, "unknown", "cancelled"),
    ]


def test_reader_in_a_transaction_skips_nothing():
    """On MariaDB its snapshot may be older than the events that it would be given."""
    if not has_many_writers():
        pytest.skip("a reader's transaction keeps writers from committing")
    cursor = events.newest()
    with held(write) as commit, transaction.atomic():
        assert not SmsMessage.objects.exists()  # its snapshot
        with in_threads() as start:
            start(write).result(PATIENCE)
        assert events.read(after=cursor) == events.Page([], cursor)
        commit()
        page = events.read(after=cursor, limit=1)
    found = [*page.events, *read_on(1, page.cursor).events]
    assert {event.message_id for event in found} == set(
        SmsMessage.objects.values_list("pk", flat=True)
    )


def test_writer_may_read_the_feed_in_its_own_transaction():
    """PostgreSQL counts the transaction among the open ones, which hold the feed back."""
    cursor = events.newest()
    with transaction.atomic():
        [message] = write()
        page = events.read(after=cursor)
        assert changes(events.read().events) == changes(page.events)
    found = [*page.events, *read_on(1 - len(page.events), page.cursor).events]
    assert changes(found) == [(message.pk, "", "pending")]


def test_new_reader_begins_with_what_is_open_now():
    guid = uuid4()
    with held(lambda: write(guid=guid)) as commit:
        if has_many_writers():
            write()
        cursor = events.newest()
        commit()
    assert guid in {event.guid for event in read_on(1, cursor).events}


def test_reader_begins_with_the_oldest_event_or_after_the_newest():
    [one] = write()
    read_on(1)
    cursor = events.newest()
    [two] = write()
    assert changes(read_on(1, cursor).events) == [(two.pk, "", "pending")]
    assert changes(read_on(2).events) == [(one.pk, "", "pending"), (two.pk, "", "pending")]


def test_page_of_one_user_moves_over_the_events_of_others(admin_user, django_user_model):
    other = django_user_model.objects.create_user("other")
    write(3, created_by=other)
    [own] = write(created_by=admin_user)
    write(2, created_by=other)
    read_on(6)
    page = events.read(limit=1, created_by=admin_user.pk)
    assert changes(page.events) == [(own.pk, "", "pending")]
    rest = events.read(after=page.cursor, limit=1, created_by=admin_user.pk)
    assert rest.events == []
    assert events.read(after=rest.cursor).events == []
    assert len(events.read(after=page.cursor).events) == 2


def test_page_of_one_user_reads_a_bounded_number_of_events(admin_user, monkeypatch):
    monkeypatch.setattr("django_mobilon_sms.events.reading.SEARCHED", 2)
    write(3)
    [own] = write(created_by=admin_user)
    read_on(4)
    page = events.read(created_by=admin_user.pk)
    assert page.events == []
    assert changes(events.read(after=page.cursor, created_by=admin_user.pk).events) == [
        (own.pk, "", "pending")
    ]


def test_cursor_before_a_deleted_event_is_refused():
    write(2)
    first, second = read_on(2).events
    feed = EventFeed(pk=1, deleted_order=first.commit_order, deleted_id=first.id)
    start, at_first = events.read(limit=1).cursor, events.read(limit=1)
    beginning = f"0.0.{first.id - 1}"
    SmsEvent.objects.filter(pk=first.pk).delete()
    feed.save()
    with pytest.raises(CursorExpired):
        events.read(after=beginning)
    assert start == at_first.cursor
    assert events.read(after=at_first.cursor).events == [second]
    assert events.read().events == [second]


def test_cursor_is_refused_when_all_events_were_deleted():
    write()
    [event] = read_on(1).events
    SmsEvent.objects.all().delete()
    EventFeed(pk=1, deleted_order=event.commit_order, deleted_id=event.id).save()
    with pytest.raises(CursorExpired):
        events.read(after="0.0.0")
    page = events.read()
    assert page.events == []
    assert events.read(after=page.cursor) == page


@pytest.mark.parametrize("cursor", ["", "1", "1.2", "a.b.c", "1.2.3.4", "0.0.-1", "٠.0.0", 7])
def test_string_that_is_no_cursor_is_refused(cursor):
    with pytest.raises(InvalidCursor):
        events.read(after=cursor)


def test_cursor_with_a_number_that_no_column_holds_is_refused():
    with pytest.raises(InvalidCursor):
        events.read(after=f"0.0.{2**63}")


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_limit_is_from_one_to_a_thousand(limit):
    with pytest.raises(ValueError, match="limit must be from 1 to 1000"):
        events.read(limit=limit)


def test_feed_that_is_switched_off_says_so(settings):
    settings.MOBILON_SMS_EVENTS = None
    for call in (events.read, events.newest):
        with pytest.raises(ImproperlyConfigured, match="MOBILON_SMS_EVENTS"):
            call()
