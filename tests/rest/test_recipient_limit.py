"""``MOBILON_SMS_HOURLY_PER_NUMBER`` over REST: which refusal is answered how."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from django_mobilon_sms.choices import ErrorCode, Status
from django_mobilon_sms.models import SmsMessage, db_now
from tests.support.messages import write
from tests.support.rest_door import ALL, GOOD, codes, list_codes, login, post

pytestmark = [pytest.mark.django_db, pytest.mark.databases]

OTHER = GOOD | {"number": "+79020000001"}


@pytest.fixture
def client(settings) -> APIClient:
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = 3
    return login(*ALL)


def test_more_than_the_limit_is_refused_until_an_hour_has_passed(client):
    assert [post(client, GOOD).status_code for _ in range(4)] == [201, 201, 201, 429]
    refused = post(client, GOOD)
    assert (codes(refused), refused["Retry-After"]) == ({"number": ["number_limit"]}, "3600")
    assert post(client, OTHER).status_code == 201
    oldest = SmsMessage.objects.filter(pk=SmsMessage.objects.earliest("pk").pk)
    oldest.change(created_at=db_now() - timedelta(minutes=61))
    assert [post(client, GOOD).status_code for _ in range(2)] == [201, 429]
    assert SmsMessage.objects.count() == 5


def test_what_others_wrote_counts_and_what_never_went_out_does_not(client):
    write(3)
    assert post(login(*ALL, name="shop"), GOOD).status_code == 429
    for status in (Status.CANCELLED, Status.EXPIRED, Status.FAILED):
        SmsMessage.objects.all().change(status=status)
        assert post(client, GOOD).status_code == 201
        SmsMessage.objects.exclude(status=status).change(status=status)
    write(3)
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    assert post(client, GOOD).status_code == 429


def test_list_is_refused_whole_with_the_place_of_each_that_is_too_much(client):
    write(2)
    response = post(client, [GOOD, OTHER, GOOD, OTHER])
    assert (response.status_code, list_codes(response)) == (429, [(2, "number", "number_limit")])
    response = post(client, [OTHER] * 4)
    assert (response.status_code, list_codes(response)) == (400, [(3, "number", "too_many")])
    assert "Retry-After" not in response
    assert SmsMessage.objects.count() == 2


def test_same_guid_twice_in_a_list_counts_once(client):
    body = GOOD | {"guid": str(uuid4())}
    assert post(client, [body, body, body, body]).status_code == 201


def test_request_that_is_made_again_finds_its_rows_over_the_limit(client):
    rows = [GOOD | {"guid": str(uuid4())} for _ in range(3)]
    assert [post(client, rows).status_code for _ in range(2)] == [201, 200]
    assert post(client, [*rows, GOOD]).status_code == 429


def test_conflict_is_answered_before_the_limit(client):
    body = GOOD | {"guid": str(uuid4())}
    post(client, [body, GOOD, GOOD])
    response = post(client, [body | {"text": "другое"}, GOOD])
    assert (response.status_code, list_codes(response)) == (409, [(0, "guid", "conflict")])


def test_limit_is_off_by_default(client, settings):
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = None
    assert post(client, [GOOD] * 5).status_code == 201
