"""The admin's reports over half a million messages, from the daily totals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from statistics import median

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from django_mobilon_sms.operations import count_days

from . import rows
from .measure import Bench, Figure, bare_select

#: The target is for five million; the totals that a report reads are as many.
COUNT = 500_000


def reports(bench: Bench, count: int = COUNT) -> Iterator[Figure]:
    """Reports of 92 days and of a year, before and after the days are counted."""
    rows.clear()
    rows.execute("DELETE FROM mobilon_sms_dailytotal")
    rows.execute("DELETE FROM mobilon_sms_countedday")
    rows.sent(count)
    rows.spread(tags=200, senders=3)
    rows.analyze()
    User.objects.filter(username="bench").delete()
    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    yield Figure("reports: a bare SELECT of 100 messages", bare_select(), unit="ms")
    yield Figure("reports of 92 days, not counted", _asked(client, 92), unit="ms")
    began = time.perf_counter()
    days = count_days()
    took = time.perf_counter() - began
    yield Figure("count a day", took / days * 1000, unit="ms", note=f"{count:,} in {days} days")
    rows.execute(rows.STATISTICS[bench.vendor].format("mobilon_sms_dailytotal"))
    for length in (92, 365):
        target = 300 if length == 92 and bench.vendor == "postgresql" else None
        work = f"reports of {length} days"
        milliseconds = _asked(client, length)
        note = f"{count:,} messages"
        yield Figure(work, milliseconds, target, at_most=True, unit="ms", note=note)


def _asked(client: Client, days: int) -> float:
    """Return the median of 7 requests in milliseconds, after one that warms up."""
    today = timezone.localdate()
    query = {"start": today - timedelta(days=days - 1), "end": today}
    times = []
    for _ in range(8):
        began = time.perf_counter()
        reply = client.get("/admin/mobilon_sms/smsmessage/reports/", query)
        times.append(time.perf_counter() - began)
        if reply.status_code != 200:
            raise RuntimeError(f"The report answered {reply.status_code}.")
    return median(times[1:]) * 1000
