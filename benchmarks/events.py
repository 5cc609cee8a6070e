"""What events cost: the drain with and without them, and what they add to a batch."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.models import SmsEvent
from django_mobilon_sms.worker import deliver

from . import rows
from .measure import MARKS, Bench, Figure, ratio

KEPT = {"MOBILON_SMS_EVENTS": "30d"}
BATCH = 100
#: The size of a table with its indexes.
BYTES = {
    "postgresql": "SELECT pg_total_relation_size('mobilon_sms_smsevent')",
    "mysql": "SELECT data_length + index_length FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = 'mobilon_sms_smsevent'",
}


def events(bench: Bench, count: int = 20_000) -> Iterator[Figure]:
    """The drain with events against the one without, statements and bytes of a batch."""

    def drained(**options: Any) -> float:
        rows.clear()
        SmsEvent.objects.all().delete()
        rows.due(count)
        rows.analyze()
        return bench.rate("drain", count, **options)

    without, with_events = bench.in_turn(drained, lambda: drained(settings=KEPT))
    note = f"{median(with_events):,.0f}/s against {median(without):,.0f}/s"
    yield Figure("drain with events: share of that without", ratio(with_events, without), note=note)
    added = _statements(kept="30d") - _statements(kept=None)
    yield Figure("statements that events add to a batch", added, 4, at_most=True, unit="")
    if connection.vendor == "sqlite":  # it reuses the pages of other tables
        return
    before = _bytes(empty=True)
    drained(settings=KEPT)
    grown = (_bytes() - before) / (count / BATCH) / 1024
    yield Figure(f"events of a batch of {BATCH}", grown, unit="KiB", note="table and indexes")


def _statements(*, kept: str | None) -> int:
    """Return the statements of a second batch in one run."""
    counts = []
    with override_settings(MOBILON_SMS_EVENTS=kept):
        for batches in (1, 2):
            rows.clear()
            rows.due(batches * BATCH)
            with CaptureQueriesContext(connection) as captured:
                deliver(limit=batches * BATCH, batch_size=BATCH)
            counts.append(sum(not query["sql"].startswith(MARKS) for query in captured))
    return counts[1] - counts[0]


def _bytes(*, empty: bool = False) -> int:
    with connection.cursor() as cursor:
        if empty:
            cursor.execute(f"DELETE FROM {SmsEvent._meta.db_table}")
        if connection.vendor == "mysql":
            cursor.execute(f"ANALYZE TABLE {SmsEvent._meta.db_table}")
            cursor.fetchall()
        if connection.vendor == "postgresql" and empty:
            cursor.execute(f"TRUNCATE {SmsEvent._meta.db_table}")
        cursor.execute(BYTES[connection.vendor])
        return int(cursor.fetchone()[0])
