"""Old events are deleted in order; what a consumer has not had stays three days longer."""

from __future__ import annotations

import logging
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from django_mobilon_sms import events
from django_mobilon_sms.events import Deleted, count_old, delete_old, purging
from django_mobilon_sms.exceptions import CursorExpired
from django_mobilon_sms.models import EventFeed, SmsEvent, db_now
from django_mobilon_sms.operations import observe
from tests.events.feed import read_on
from tests.support.lock_waits import held, in_threads
from tests.support.messages import write
from tests.support.workers import PATIENCE

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]


def age(days: int, *found: SmsEvent) -> None:
    keys = [event.pk for event in found]
    SmsEvent.objects.filter(pk__in=keys).update(created_at=db_now() - timedelta(days=days))


def dropped() -> int:
    return EventFeed.objects.current().dropped


def test_events_older_than_the_setting_are_deleted_and_cursors_before_them_refused():
    start = events.newest()
    write(3)
    page = read_on(3, start)
    first = events.read(after=start, limit=1)
    age(31, *page.events[:2])
    age(29, page.events[2])
    assert count_old() == delete_old() == Deleted(2, 0)
    assert delete_old() == Deleted()
    for cursor in (start, first.cursor):
        with pytest.raises(CursorExpired):
            events.read(after=cursor)
    assert events.read().events == [page.events[2]]
    assert events.read(after=page.cursor).events == []


def test_cursor_after_the_newest_deleted_event_goes_on_when_all_were_deleted():
    write(2)
    page = read_on(2)
    age(31, *page.events)
    assert delete_old() == Deleted(2, 0)
    [new] = write()
    assert [event.message_id for event in read_on(1, page.cursor).events] == [new.pk]


def test_young_event_keeps_older_ones_after_it(caplog):
    """A clock that was set back wrote them; a cursor between them must not skip one."""
    write(3)
    first, second, third = read_on(3).events
    age(31, first, third)
    assert delete_old() == Deleted(1, 0)
    assert events.read().events == [second, third]


def test_what_a_consumer_has_not_had_is_kept_three_days_longer_and_then_counted(caplog):
    start = events.newest()
    write(3)
    page = read_on(3, start)
    had_first, had_all = events.read(after=start, limit=1).cursor, page.cursor
    age(31, *page.events)
    assert delete_old([had_all, had_first]) == Deleted(1, 0)
    age(34, *page.events)
    with caplog.at_level(logging.ERROR):
        assert count_old([had_all, had_first]) == Deleted(2, 2)
        assert delete_old([had_all, had_first]) == Deleted(2, 2)
    assert [record.getMessage() for record in caplog.records] == ["events.dropped count=2"]
    assert (dropped(), EventFeed.objects.current().dropped_at is not None) == (2, True)
    assert observe().events_dropped == 2
    with pytest.raises(CursorExpired):
        events.read(after=had_first)
    assert events.read(after=had_all).events == []


def test_what_a_consumer_had_before_a_restore_keeps_no_event_from_its_three_days():
    write()
    [event] = read_on(1).events
    age(31, event)
    had_elsewhere = events.read().cursor
    EventFeed.objects.made().update(generation=7)
    assert delete_old([had_elsewhere]) == Deleted()
    assert delete_old([events.read().cursor]) == Deleted(1, 0)


def test_long_feed_is_deleted_in_chunks(monkeypatch):
    monkeypatch.setattr(purging, "EVENTS_PER_TRANSACTION", 2)
    write(5)
    age(31, *read_on(5).events)
    assert delete_old() == Deleted(5, 0)
    assert not SmsEvent.objects.exists()


def test_events_that_a_purge_is_deleting_are_not_skipped():
    """The purge has not committed: MariaDB shows to whoever asks that they are gone."""
    if connection.vendor == "sqlite":
        pytest.skip("a purge of SQLite waits for its readers")
    start = events.newest()
    write(3)
    page = read_on(3, start)
    age(31, *page.events[:2])
    with held(delete_old) as commit:
        assert events.read(after=start) == page
        assert events.read(after=start, limit=1).events == page.events[:1]
        commit()
    with pytest.raises(CursorExpired):
        events.read(after=start)


def test_reader_whose_transaction_began_before_a_purge_skips_nothing():
    """Its snapshot, if the isolation level keeps one, says nothing of the purge."""
    if connection.vendor == "sqlite":
        pytest.skip("one connection at a time may write")
    start = events.newest()
    write(3)
    page = read_on(3, start)
    age(31, *page.events[:2])
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with transaction.atomic():
            if connection.vendor == "postgresql":
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            assert SmsEvent.objects.count() == 3  # its snapshot
            with in_threads() as begin:
                assert begin(delete_old).result(PATIENCE) == Deleted(2, 0)
            assert events.read(after=start).events == page.events


def test_command_deletes_events_by_their_own_age():
    write(2)
    age(31, *read_on(2).events)
    for option, words in (("--dry-run", "Would delete"), ("--no-color", "Deleted")):
        output = StringIO()
        call_command("purge_sms", "--older-than", "180d", option, stdout=output)
        assert output.getvalue().splitlines()[-1] == f"{words} 2 events."


def test_events_stay_while_no_age_is_set(settings):
    write()
    age(31, *read_on(1).events)
    settings.MOBILON_SMS_EVENTS = None
    assert delete_old() == Deleted()
    assert SmsEvent.objects.exists()
