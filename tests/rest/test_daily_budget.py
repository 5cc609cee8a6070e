"""``MOBILON_SMS_REST_DAILY_SEGMENTS``: what each client may write on one day."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings
from rest_framework.test import APIClient

from django_mobilon_sms.models import DailyBudget, GatewayState, SmsMessage, day_of
from django_mobilon_sms.outbox import stop
from django_mobilon_sms.rest.errors import seconds_to_midnight
from tests.outbox.test_guid_conflicts import at_once
from tests.support.rest_door import ALL, GOOD, codes, list_codes, login, post

pytestmark = [pytest.mark.django_db, pytest.mark.databases]

#: Of two segments.
LONG = GOOD | {"text": "я" * 100}


@pytest.fixture
def client(settings) -> APIClient:
    settings.MOBILON_SMS_REST_DAILY_SEGMENTS = 5
    return login(*ALL)


def used() -> list[int]:
    return list(DailyBudget.objects.order_by("pk").values_list("segments", flat=True))


def test_segments_beyond_the_budget_are_refused_until_midnight(client):
    assert [post(client, LONG).status_code for _ in range(2)] == [201, 201]
    refused = post(client, LONG)
    assert (refused.status_code, codes(refused)) == (429, {"non_field_errors": ["daily_budget"]})
    assert int(refused["Retry-After"]) in range(1, 90_001)  # a day may have 25 hours
    assert post(client, GOOD).status_code == 201
    assert post(client, GOOD).status_code == 429
    assert (SmsMessage.objects.count(), used()) == (3, [5])
    DailyBudget.objects.update(day=day_of(now()) - timedelta(days=1))
    assert post(client, LONG).status_code == 201
    assert used() == [2]


def test_each_client_has_a_budget_of_its_own(client):
    other = login(*ALL, name="shop")
    assert [post(one, [GOOD] * 5).status_code for one in (client, other)] == [201, 201]
    assert [post(one, GOOD).status_code for one in (client, other)] == [429, 429]
    User.objects.get(username="shop").delete()
    assert used() == [5]


def test_nothing_is_charged_for_what_is_found_or_refused_and_nothing_is_given_back(client):
    body, key = GOOD | {"guid": str(uuid4())}, {"headers": {"Idempotency-Key": "7"}}
    for _ in range(3):
        assert post(client, body).status_code < 300
        assert client.post("/sms/messages/", GOOD, format="json", **key).status_code < 300
    stop(["+79020000001"])
    assert post(client, [GOOD, GOOD | {"number": "+79020000001"}]).status_code == 400
    assert used() == [2]
    SmsMessage.objects.cancel()
    assert post(client, [GOOD] * 3).status_code == 201
    assert post(client, GOOD).status_code == 429
    # Found without a segment left.
    assert [post(client, body).status_code, used()] == [200, [5]]


def test_list_is_refused_whole_with_the_places_that_do_not_fit(client):
    post(client, LONG)
    response = post(client, [LONG, LONG, GOOD])
    places = [(1, "non_field_errors", "daily_budget")]
    assert (response.status_code, list_codes(response)) == (429, places)
    # A whole budget is too small: there is nothing to wait for.
    response = post(client, [LONG, LONG, LONG, GOOD])
    assert (response.status_code, "Retry-After" in response) == (400, False)
    assert [code for _, _, code in list_codes(response)] == ["daily_budget", "over_daily_budget"]
    assert used() == [2]


def test_good_rows_are_those_that_fit(client):
    post(client, LONG)
    stop(["+79020000001"])
    rows = [LONG, GOOD | {"number": "+79020000001"}, LONG, GOOD, GOOD]
    response = client.post("/sms/messages/many/?on_error=skip", rows, format="json")
    assert response.status_code == 201
    assert list_codes(response) == [
        (1, "number", "stopped"),
        (2, "non_field_errors", "daily_budget"),
        (4, "non_field_errors", "over_daily_budget"),
    ]
    assert used() == [5]
    none_left = client.post("/sms/messages/many/?on_error=skip", [GOOD], format="json")
    assert (none_left.status_code, list_codes(none_left)) == (
        429,
        [(0, "non_field_errors", "daily_budget")],
    )


def test_dry_run_is_refused_too_and_charges_nothing(client):
    for body, code in (([GOOD] * 5, 200), ([GOOD] * 6, 400)):
        answer = client.post("/sms/messages/many/?dry_run=true", body, format="json")
        assert answer.status_code == code
    assert used() == []


@pytest.mark.django_db(transaction=True)
def test_refused_requests_at_the_same_moment_meet_no_deadlock(settings):
    settings.MOBILON_SMS_REST_DAILY_SEGMENTS = 1
    clients = [login(*ALL) for _ in range(10)]
    for _ in range(4):  # nothing is committed, so the budget's row would be new each time
        answers = at_once(10, lambda n: post(clients[n], [GOOD, GOOD]).status_code)
        assert Counter(answers) == {400: 10}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wrote_before", [False, True])
def test_requests_at_the_same_moment_write_exactly_the_budget(client, wrote_before):
    if wrote_before:
        assert post(client, LONG).status_code == 201
    clients = [login(*ALL) for _ in range(12)]
    answers = at_once(12, lambda n: post(clients[n], GOOD).status_code)
    fit = 3 if wrote_before else 5
    assert Counter(answers) == {201: fit, 429: 12 - fit}
    assert (SmsMessage.objects.count(), used()) == (fit + wrote_before, [5])


def test_off_by_default_and_of_three_statements(client, settings):
    with CaptureQueriesContext(connection) as with_budget:
        assert post(client, GOOD).status_code == 201
    settings.MOBILON_SMS_REST_DAILY_SEGMENTS = None
    with CaptureQueriesContext(connection) as without:
        assert post(client, [GOOD] * 6).status_code == 201
    assert len(with_budget) - len(without) == 3
    assert used() == [1]


def now() -> datetime:
    moment: datetime = GatewayState.objects.current().now
    return moment


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kamchatka", "America/Los_Angeles"])
def test_day_ends_at_midnight_of_the_project(zone):
    with override_settings(TIME_ZONE=zone):
        end = now() + timedelta(seconds=seconds_to_midnight())
        local = end.astimezone(ZoneInfo(zone))
    assert abs((local - local.replace(hour=0, minute=0, second=0)).total_seconds()) < 60
