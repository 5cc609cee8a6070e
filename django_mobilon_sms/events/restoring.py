"""A restored database: the events of another server, and cursors that were given out there."""

from __future__ import annotations

import secrets

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.db.models import Max

from ..conf import conf
from ..models import CommitOrder, EventFeed, SmsEvent
from .positions import Position

#: The id of the next transaction on PostgreSQL, as far as is known: a snapshot does not count the
#: transaction that takes it.
_TO_COME = """
SELECT GREATEST(pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
    pg_current_xact_id_if_assigned()::text::bigint + 1)
"""


def begin_anew() -> None:
    """Refuse all earlier cursors, and put all events before those of this server's transactions.

    What happened after the backup is unknown to the database, so its readers must begin again.
    """
    if conf.EVENTS is None:
        return
    feed, all_events = EventFeed.objects.made(), SmsEvent.objects.for_write()
    with transaction.atomic(using=all_events.db):
        feed.update(generation=1 + secrets.randbelow(10**9), deleted_order=0, deleted_id=0)
        all_events.update(commit_order=CommitOrder())


def check_not_restored(position: Position) -> None:
    """Raise ``ImproperlyConfigured`` if events, or this place, come from transactions to come.

    Only PostgreSQL counts its transactions for each server, not for each database.
    """
    all_events = SmsEvent.objects.for_write()
    connection = connections[all_events.db]
    if connection.vendor != "postgresql":
        return
    newest = all_events.aggregate(newest=Max("commit_order"))["newest"] or 0
    with connection.cursor() as cursor:
        cursor.execute(_TO_COME)
        [to_come] = cursor.fetchone()
    if max(newest, position.order) >= to_come:
        raise ImproperlyConfigured(
            "The events come from another PostgreSQL server. Run: manage.py hold_sms"
        )
