"""How long an open transaction has held the feed back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from django.db import connections

from ..models import GatewayState, SmsEvent
from . import pages

#: Sessions of other roles are hidden from a role without ``pg_read_all_stats``.
_OLDEST_ON_POSTGRESQL = """
SELECT clock_timestamp() - LEAST(
    (SELECT min(xact_start) FROM pg_stat_activity
        WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()),
    (SELECT min(prepared) FROM pg_prepared_xacts))
"""


def held_back() -> timedelta | None:
    """Return the age of the oldest transaction that readers wait for; ``None`` if there is none.

    On MariaDB it counts from the first event of that transaction. SQLite has one writer at a time,
    and no reader waits for it.
    """
    connection: Any = connections[SmsEvent.objects.for_write().db]
    if connection.vendor == "sqlite":
        return None
    if connection.vendor == "mysql":
        began = _first_uncommitted()
        return max(GatewayState.objects.peek().now - began, timedelta()) if began else None
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_ON_POSTGRESQL)
        age: timedelta | None = cursor.fetchone()[0]
        return age


def _first_uncommitted() -> datetime | None:
    began = min(pages.uncommitted(pages.newest_id()).values(), default=None)
    return began.replace(tzinfo=timezone.utc) if began else None
