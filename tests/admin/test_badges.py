"""Times as the columns of the lists show them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

import pytest
from django.utils import timezone as django_timezone

from django_mobilon_sms.admin.badges import short_moment


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2027-01-01T18:30", "tomorrow 01:30"),
        ("2026-12-31T18:30", "today 01:30"),
        ("2026-12-31T16:59", "yesterday 23:59"),
        ("2027-03-05T04:05", "Mar 5 11:05"),
        ("2026-12-30T16:59", "12/30/2026"),
    ],
)
def test_time_is_short_and_of_the_local_day(monkeypatch, time, shown):
    # A calendar that stands still: it is the first of January at noon in Krasnoyarsk.
    now = datetime(2027, 1, 1, 5, tzinfo=timezone.utc)
    monkeypatch.setattr(django_timezone, "now", lambda: now)
    html = short_moment(datetime.fromisoformat(f"{time}:00+00:00"))
    assert (
        re.fullmatch(r'<time datetime="[^"]+\+07:00" title="[^"]+">(.*)</time>', html)[1] == shown
    )


def test_no_time_is_none():
    assert short_moment(None) is None
