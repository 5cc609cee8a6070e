"""``on_error=skip``: the good rows of a list are written, the bad ones are named."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from rest_framework.test import APIClient

from django_mobilon_sms.models import IdempotencyKey, SmsMessage
from django_mobilon_sms.outbox import stop, take_off
from tests.outbox.test_guid_conflicts import at_once
from tests.support.messages import write
from tests.support.rest_door import ALL, GOOD, codes, list_codes, login

pytestmark = [pytest.mark.django_db, pytest.mark.databases]

KEY = "night 7"
STOPPED = GOOD | {"number": "+79020000001"}
OTHER = {"number": "8 (902) 000-00-02", "text": "Ваш заказ в пути"}
#: Each is bad in another stage: the JSON, a value, the stop list, the limit.
BAD: list[Any] = [5, OTHER | {"89135292926": "секрет"}, OTHER | {"text": ""}, STOPPED]


def skip(client: APIClient, body: Any, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/sms/messages/many/?on_error=skip", body, format="json", headers=headers)


def by_row(response: Any, field: str) -> list[str | None]:
    """A field of the message of each row, ``None`` for a bad row."""
    answer = response.json()
    found: list[str | None] = [None] * (len(answer["results"]) + answer["count"])
    for message in answer["results"]:
        found[message["index"]] = message[field]
    return found


def bad(response: Any) -> list[tuple[int, str, str]]:
    assert response.json()["count"] == len({index for index, _, _ in list_codes(response)})
    return list_codes(response)


@pytest.fixture
def _stopped() -> None:
    stop([STOPPED["number"]])


@pytest.mark.usefixtures("_stopped")
@pytest.mark.parametrize("key", ["", KEY], ids=["", "key"])
def test_good_rows_are_written_and_bad_ones_are_named_in_their_places(client, key):
    response = skip(client, [GOOD, *BAD, OTHER], key)
    assert response.status_code == 201
    assert by_row(response, "text") == [GOOD["text"], None, None, None, None, OTHER["text"]]
    assert bad(response) == [
        (1, "non_field_errors", "not_an_object"),
        (2, "89135292926", "unknown_field"),
        (3, "text", "empty"),
        (4, "number", "stopped"),
    ]
    texts = SmsMessage.objects.order_by("pk").values_list("text", flat=True)
    assert list(texts) == [GOOD["text"], OTHER["text"]]


@pytest.mark.parametrize("depth", [12, 400, 900])
@pytest.mark.parametrize("key", ["", KEY], ids=["", "key"])
def test_row_that_is_nested_too_deeply_is_no_crash(client, depth, key):
    deep: Any = "x"
    for _level in range(depth):
        deep = [deep]
    response = skip(client, [GOOD, GOOD | {"text": deep}], key)
    assert (response.status_code, SmsMessage.objects.count()) == (400, 0)


def test_rows_without_a_fault_are_all_written(client):
    response = skip(client, [GOOD, OTHER])
    assert (response.status_code, response.json()["errors"], response.json()["count"]) == (
        201, [], 0,
    )  # fmt: skip
    assert None not in by_row(response, "text")


def test_list_of_bad_rows_alone_is_refused_as_without_it(client):
    for body in ([GOOD | {"text": ""}], [5, GOOD | {"number": "1"}]):
        refused = skip(client, body, KEY)
        assert (refused.status_code, bad(refused)) == (
            400,
            list_codes(client.post("/sms/messages/many/", body, format="json")),
        )
    assert not IdempotencyKey.objects.exists()
    assert skip(client, [GOOD], KEY).status_code == 201


def test_every_bad_row_is_named(client):
    response = skip(client, [GOOD, *[GOOD | {"text": "", "x": 1}] * 300])
    assert response.status_code == 201
    assert {index for index, _, _ in bad(response)} == {*range(1, 301)}
    assert len(response.json()["errors"]) == 600


def test_limits_and_duplicates_leave_out_what_they_refuse(client, settings):
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = 2
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 60
    write(text="старое")
    rows = [GOOD, GOOD, OTHER, GOOD | {"text": "третье"}, OTHER, OTHER | {"text": "x"}]
    response = skip(client, rows)
    # The duplicate takes no room of the limit.
    assert bad(response) == [
        (1, "text", "duplicate"),
        (3, "number", "number_limit"),
        (4, "text", "duplicate"),
    ]
    assert by_row(response, "text") == [GOOD["text"], None, OTHER["text"], None, None, "x"]


def test_guid_of_another_message_is_a_bad_row(client):
    [theirs] = write(guid=uuid4())
    rows = [OTHER, OTHER | {"guid": str(theirs.guid)}, GOOD | {"guid": "x"}]
    response = skip(client, rows)
    assert bad(response) == [(1, "guid", "conflict"), (2, "guid", "invalid")]
    blind = login("add_smsmessage", name="shop")
    same = {"guid": str(theirs.guid), "number": theirs.number, "text": theirs.text}
    assert bad(skip(blind, [OTHER, same])) == [(1, "guid", "conflict")]


# The same request again


@pytest.mark.usefixtures("_stopped")
def test_repeat_gives_the_same_rows_whatever_has_changed(client, settings):
    settings.MOBILON_SMS_REST_DAILY_SEGMENTS = 2
    body = [GOOD, *BAD, OTHER, GOOD | {"text": "лишнее"}]
    first = skip(client, body, KEY)
    assert (first.status_code, bad(first)[-1]) == (
        201,
        (6, "non_field_errors", "over_daily_budget"),
    )
    take_off([STOPPED["number"]])
    stop([GOOD["number"]])
    settings.MOBILON_SMS_REST_DAILY_SEGMENTS = None
    settings.MOBILON_SMS_NUMBER_PATTERN = r"\+78\d{9}"
    again = skip(client, body, KEY)
    assert (again.status_code, again.json()["errors"]) == (200, first.json()["errors"])
    assert by_row(again, "guid") == by_row(first, "guid")
    assert again["Idempotency-Replayed"] == "true"
    assert SmsMessage.objects.count() == 2


@pytest.mark.usefixtures("_stopped")
def test_bad_rows_stay_bad_where_all_good_ones_existed_before(client):
    body = [GOOD | {"guid": str(uuid4())}, STOPPED]
    assert client.post("/sms/messages/", body[0], format="json").status_code == 201
    address, headers = "/sms/messages/many/?on_error=skip&dry_run=true", {"Idempotency-Key": KEY}
    assert client.post(address, body, format="json", headers=headers).status_code == 200
    assert not IdempotencyKey.objects.exists()
    assert skip(client, body, KEY).status_code == 200
    take_off([STOPPED["number"]])
    again = skip(client, body, KEY)
    assert (again.status_code, bad(again)) == (200, [(1, "number", "stopped")])
    assert SmsMessage.objects.count() == 1


@pytest.mark.usefixtures("_stopped")
def test_neither_text_nor_number_is_kept_with_the_key(client):
    rows = [GOOD | {"text": "пароль Zq4711"}, STOPPED | {"text": "пароль Zq4711"}, *BAD]
    assert skip(client, rows, KEY).status_code == 201
    [kept] = IdempotencyKey.objects.all()
    held = DjangoJSONEncoder(ensure_ascii=False).encode([kept.guids, kept.faults, str(vars(kept))])
    assert [fault[:3] for fault in kept.faults] == [
        [1, "number", "stopped"],
        [2, "non_field_errors", "not_an_object"],
        [3, 0, "unknown_field"],
        [4, "text", "empty"],
        [5, "number", "stopped"],
    ]
    for secret in ("Zq4711", "9135292926", "9020000001", "секрет"):
        assert secret not in held


@pytest.mark.parametrize(
    "again",
    [
        [GOOD, GOOD | {"text": " "}],
        [OTHER, GOOD | {"text": ""}],
        [GOOD, GOOD],
        [GOOD],
        [GOOD, GOOD | {"text": ""}, GOOD],
    ],
    ids=["bad row", "good row", "corrected", "shorter", "longer"],
)
def test_other_rows_under_the_same_key_are_a_conflict(client, again):
    assert skip(client, [GOOD, GOOD | {"text": ""}], KEY).status_code == 201
    response = skip(client, again, KEY)
    assert (response.status_code, list_codes(response)) == (
        409,
        [(0, "non_field_errors", "conflict")],
    )
    assert SmsMessage.objects.count() == 1


def test_same_rows_without_skip_are_a_conflict(client):
    """The first request was answered in another shape, and not all of it was written."""
    body = [GOOD, GOOD | {"text": ""}]
    assert skip(client, body, KEY).status_code == 201
    headers = {"Idempotency-Key": KEY}
    again = client.post("/sms/messages/many/", body, format="json", headers=headers)
    assert (again.status_code, list_codes(again)) == (409, [(0, "non_field_errors", "conflict")])


def test_messages_that_were_deleted_are_not_written_again(client):
    body = [GOOD | {"text": ""}, GOOD, OTHER]
    first = skip(client, body, KEY).json()["results"]
    rows = SmsMessage.objects.filter(guid=first[0]["guid"])
    rows.cancel()
    rows.delete()
    again = skip(client, body, KEY)
    assert (again.status_code, list_codes(again)) == (409, [(1, "non_field_errors", "conflict")])
    assert SmsMessage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_same_request_at_the_same_moment_is_written_once(settings):
    """Whoever is first writes; the others find its messages, and the same bad rows."""
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = 1
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 60
    body = [GOOD, GOOD | {"text": ""}, OTHER, GOOD, GOOD | {"text": "второе"}]
    clients = [login(*ALL) for _ in range(8)]
    answers = at_once(8, lambda n: skip(clients[n], body, KEY))
    assert sorted(one.status_code for one in answers) == [200] * 7 + [201]
    assert len({str([one.json()["errors"], by_row(one, "guid")]) for one in answers}) == 1
    assert [index for index, _, _ in bad(answers[0])] == [1, 3, 4]
    assert SmsMessage.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_requests_at_the_same_moment_share_a_limit(settings):
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = 3
    clients = [login(*ALL) for _ in range(6)]
    answers = at_once(6, lambda n: skip(clients[n], [GOOD, OTHER, GOOD]))
    found = [one for answer in answers for one in answer.json().get("results", [])]
    assert len(found) == SmsMessage.objects.count() == 6


# What is asked for


def test_one_message_is_no_list(client):
    response = client.post("/sms/messages/?on_error=skip", GOOD, format="json")
    assert (response.status_code, codes(response)) == (400, {"on_error": ["unknown_parameter"]})


@pytest.mark.parametrize("value", ["", "Skip", "ignore"])
def test_other_values_are_errors(client, value):
    response = client.post(f"/sms/messages/many/?on_error={value}", [GOOD], format="json")
    expected = "invalid_choice" if value else "required"
    assert (response.status_code, codes(response)) == (400, {"on_error": [expected]})


def test_refuse_is_what_happens_without_it(client):
    response = client.post("/sms/messages/many/?on_error=refuse", [GOOD, 5], format="json")
    assert (response.status_code, SmsMessage.objects.count()) == (400, 0)
