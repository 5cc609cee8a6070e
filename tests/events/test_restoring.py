"""After a restored backup, cursors from before are refused, and no event is hidden."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection, transaction

from django_mobilon_sms import events
from django_mobilon_sms.exceptions import CursorExpired
from django_mobilon_sms.models import SmsEvent
from tests.events.feed import changes, read_on
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]


def hold() -> None:
    call_command("hold_sms", "--no-input", stdout=StringIO())


def test_cursor_from_before_is_refused_and_the_feed_begins_with_all_that_is_kept():
    [one] = write()
    cursor = read_on(1).cursor
    hold()
    with pytest.raises(CursorExpired):
        events.read(after=cursor)
    kept = read_on(2)
    assert changes(kept.events) == [(one.pk, "", "pending"), (one.pk, "pending", "unknown")]
    assert events.read(after=kept.cursor).events == []


def test_events_of_another_server_are_refused_until_the_backup_is_held():
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL counts its transactions for each server")
    [one] = write()
    read_on(1)
    SmsEvent.objects.update(commit_order=2**60)
    for after in (None, f"0.{2**60}.1"):
        with pytest.raises(ImproperlyConfigured, match="hold_sms"):
            events.read(after=after)
    hold()
    assert changes(read_on(2).events)[0] == (one.pk, "", "pending")
    with pytest.raises(CursorExpired):
        events.read(after=f"0.{2**60}.1")


def test_cursor_of_another_server_is_refused():
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL counts its transactions for each server")
    write()
    read_on(1)
    with pytest.raises(CursorExpired):
        events.read(after=f"0.{2**60}.1")


def test_transaction_that_has_written_reads_on_before_its_own_events():
    if connection.vendor != "postgresql":
        pytest.skip("on the others a transaction sees what it has written")
    with transaction.atomic():
        write()
        assert events.read().events == []
