"""``dry_run=true``: judged as a create is, and nothing is written."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from django_mobilon_sms.models import IdempotencyKey, SmsMessage
from django_mobilon_sms.outbox import stop
from tests.support.permission_walk import dump
from tests.support.rest_door import GOOD, address, codes, login, post

pytestmark = [pytest.mark.django_db, pytest.mark.databases]

TWO_SEGMENTS = GOOD | {"text": "я" * 100}
KEY = "order 7"


def ask(client: APIClient, body: Any, query: str, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"{address(body)}?{query}", body, format="json", headers=headers)


def dry(client: APIClient, body: Any, key: str = "") -> Any:
    return ask(client, body, "dry_run=true", key)


@pytest.mark.parametrize(
    ("body", "messages", "segments"),
    [(GOOD, 1, 1), ([GOOD, TWO_SEGMENTS], 2, 3), ([GOOD | {"guid": str(uuid4())}] * 2, 1, 1)],
    ids=["one", "list", "same guid twice"],
)
def test_answer_counts_what_would_be_written(client, settings, body, messages, segments):
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = 5
    settings.MOBILON_SMS_REST_DAILY_SEGMENTS = 50
    before = dump()
    for key in ("", KEY, KEY):
        answer = dry(client, body, key)
        assert (answer.status_code, answer.json()) == (
            200,
            {"messages": messages, "segments": segments, "errors": [], "count": 0},
        )
    assert dump() == before


def refused(client: APIClient, settings: Any) -> dict[str, Any]:
    """Put the rows in the state in which each of these bodies is refused."""
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 60
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = 2
    settings.MOBILON_SMS_REST_DAILY_SEGMENTS = 6
    stop(["+79020000001"])
    guid = str(uuid4())
    assert post(client, GOOD | {"guid": guid}).status_code == 201
    assert ask(client, GOOD | {"text": "другое"}, "", KEY).status_code == 201
    other = {"number": "+79020000002", "text": "Код"}
    return {
        "number": GOOD | {"number": "8 495 123-45-67", "x": 1},
        "not an object": [GOOD, 5],
        "duplicate": GOOD | {"number": "+79135292926"},
        "limit": [GOOD | {"text": "третье"}],
        "stop list": other | {"number": "+79020000001"},
        "budget": [other | {"text": f"{n}" + "я" * 100} for n in range(2)] + [other],
        "guid": GOOD | {"guid": guid, "text": "x"},
        "key": (other, KEY),
    }


NAMES = ["number", "not an object", "duplicate", "limit", "stop list", "budget", "guid", "key"]


@pytest.mark.parametrize("name", NAMES)
def test_refusal_is_that_of_a_create(client, settings, name):
    bodies = refused(client, settings)
    assert list(bodies) == NAMES
    body, key = bodies[name] if name == "key" else (bodies[name], "")
    before = dump()
    answers = [dry(client, body, key), ask(client, body, "", key)]
    assert answers[0].status_code == answers[1].status_code >= 400
    problems = [answer.json() | {"request_id": ""} for answer in answers]
    assert problems[0] == problems[1]
    assert dump() == before


def test_rows_that_exist_are_found_and_not_counted(client):
    body = [GOOD | {"guid": str(uuid4())}, GOOD | {"guid": str(uuid4())}]
    assert post(client, body[0]).status_code == 201
    assert dry(client, body).json()["messages"] == 1
    assert ask(client, GOOD, "", KEY).status_code == 201
    assert dry(client, GOOD, KEY).json() == {
        "messages": 0, "segments": 0, "errors": [], "count": 0,
    }  # fmt: skip


def test_key_can_still_be_used_for_anything(client):
    assert dry(client, GOOD, KEY).status_code == 200
    assert ask(client, [TWO_SEGMENTS], "", KEY).status_code == 201
    assert IdempotencyKey.objects.count() == 1


def test_worker_is_not_woken(client, settings, django_capture_on_commit_callbacks):
    settings.MOBILON_SMS_WAKE_UP = "tests.rest.test_dry_run.woken"
    with django_capture_on_commit_callbacks() as callbacks:
        dry(client, GOOD)
        assert callbacks == []
        post(client, GOOD)
    assert callbacks


def woken() -> None:
    """Never called: the callbacks are counted only."""


def test_bad_rows_are_named_beside_what_would_be_written(client):
    answer = ask(client, [GOOD, GOOD | {"text": ""}, GOOD], "dry_run=true&on_error=skip")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["messages"], found["segments"], found["count"]) == (2, 2, 1)
    assert [(one["index"], one["code"]) for one in found["errors"]] == [(1, "empty")]
    assert SmsMessage.objects.count() == 0


def test_it_counts_for_the_throttles(client, settings):
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"mobilon_sms_create": "1/min"}}
    cache.clear()
    assert [dry(client, GOOD).status_code for _ in range(2)] == [200, 429]


def test_it_needs_the_permission_to_write():
    assert dry(login("view_smsmessage", "send_smsmessage"), GOOD).status_code == 403


@pytest.mark.parametrize("value", ["", "1", "True", "yes", "\0"])
def test_other_values_are_errors(client, value):
    answer = ask(client, GOOD, f"dry_run={value}".replace("\0", "%00"))
    expected = "invalid_choice" if value else "required"
    assert (answer.status_code, codes(answer)) == (400, {"dry_run": [expected]})
    assert SmsMessage.objects.count() == 0


def test_false_writes(client):
    assert ask(client, GOOD, "dry_run=false").status_code == 201
