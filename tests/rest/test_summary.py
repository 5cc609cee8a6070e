"""The summary of a period: whole days from the daily totals, the other times from the messages."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

import pytest

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import CountedDay, SmsMessage
from django_mobilon_sms.operations import count_days, purge
from django_mobilon_sms.rest.messages import summary
from tests.support.admin_door import change
from tests.support.messages import write
from tests.support.rest_door import ALL, login

pytestmark = [pytest.mark.databases, pytest.mark.django_db]

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
#: Noon in Krasnoyarsk, six days ago.
NOON = datetime.now(timezone.utc).replace(hour=5, minute=0, second=0, microsecond=0) - 6 * DAY
MIDNIGHT = NOON - 12 * HOUR


@pytest.fixture
def client():
    return login(*ALL)


def put(at, count=1, status=Status.CANCELLED, **fields):
    for message in write(count, **fields):
        change(message, created_at=at, status=status)


def asked(client, **query):
    response = client.get(f"/sms/messages/summary/?{urlencode(query)}")
    assert response.status_code == 200
    return response.json()


def counts(client, start, end=None, **query):
    """Return the messages by status."""
    query["created_after"] = start.isoformat()
    if end:
        query["created_before"] = end.isoformat()
    return {each["status"]: each["messages"] for each in asked(client, **query)["statuses"]}


def put_days():
    """Write messages at noon and at 6 p.m. of three days, of two senders."""
    for number in range(3):
        put(NOON + number * DAY)
        put(NOON + number * DAY + 6 * HOUR, 2, source="111")
    put(NOON + DAY, status=Status.PENDING, text="я" * 100)


QUERIES = {
    "whole days": (MIDNIGHT, MIDNIGHT + 3 * DAY, {}, {"cancelled": 9, "pending": 1}),
    "parts of days": (NOON + HOUR, NOON + 2 * DAY + HOUR, {}, {"cancelled": 6, "pending": 1}),
    "within a day": (NOON + HOUR, NOON + 7 * HOUR, {}, {"cancelled": 2}),
    "until now": (MIDNIGHT + DAY, None, {}, {"cancelled": 6, "pending": 1}),
    "a sender": (MIDNIGHT, None, {"source": "111"}, {"cancelled": 6}),
    "a status": (MIDNIGHT, None, {"status": "pending"}, {"pending": 1}),
    "backwards": (NOON + 2 * DAY, NOON, {}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_period_counts_the_same_from_messages_totals_or_both(client, name):
    start, end, query, expected = QUERIES[name]
    put_days()
    assert counts(client, start, end, **query) == expected
    count_days()
    assert counts(client, start, end, **query) == expected
    CountedDay.objects.forget((NOON + DAY).date())  # as after a deletion
    assert counts(client, start, end, **query) == expected


def test_whole_days_count_deleted_messages_and_say_as_of_when(client):
    put_days()
    purge(HOUR)
    assert SmsMessage.objects.count() == 1
    assert counts(client, MIDNIGHT) == {"cancelled": 9, "pending": 1}
    assert counts(client, NOON) == {"cancelled": 6, "pending": 1}  # the first day is not whole
    counted_at = CountedDay.objects.filter(closed=False).earliest("counted_at").counted_at
    as_of = asked(client, created_after=MIDNIGHT.isoformat())["as_of"]
    assert datetime.fromisoformat(as_of) == counted_at
    assert asked(client, created_after=MIDNIGHT.isoformat(), tag="x")["as_of"] is None


def test_totals_are_no_rows_of_the_limit(client, monkeypatch):
    monkeypatch.setattr(summary, "MAX_COUNTED", 2)
    put_days()
    count_days()
    write(2)
    query = {"created_after": MIDNIGHT.isoformat()}
    assert asked(client, **query)["complete"] is True
    assert asked(client, created_after=NOON.isoformat())["complete"] is False  # a part of a day
    assert counts(client, NOON) == {"cancelled": 6, "pending": 3}
    write()
    assert asked(client, **query)["complete"] is False
    assert counts(client, MIDNIGHT) == {"cancelled": 9, "pending": 3}
    assert asked(client, created_after=NOON.isoformat())["complete"] is False


def test_who_sees_their_own_messages_learns_nothing_from_totals(client, settings):
    put_days()
    count_days()
    settings.MOBILON_SMS_REST_OWN_MESSAGES_ONLY = True
    assert counts(client, MIDNIGHT) == {}
