"""When the status of a batch is queried next."""

from __future__ import annotations

from datetime import datetime, timedelta

from ...conf import conf

#: How long to wait until the next query, for batches up to this age.
WAITS_BY_AGE = (
    (timedelta(minutes=1), timedelta(seconds=10)),
    (timedelta(minutes=5), timedelta(seconds=30)),
    (timedelta(minutes=30), timedelta(minutes=1)),
    (timedelta(hours=2), timedelta(minutes=5)),
    (timedelta(hours=12), timedelta(minutes=30)),
)

LONGEST_WAIT = timedelta(hours=1)


def next_check(closed_at: datetime, now: datetime, mark: timedelta) -> datetime | None:
    """Return when to query a batch again; ``None`` if it is too old."""
    age = now - closed_at
    if age >= timedelta(seconds=conf.STATUS_MAX_AGE):
        return None
    wait = next((wait for limit, wait in WAITS_BY_AGE if age < limit), LONGEST_WAIT)
    return now + wait + mark
