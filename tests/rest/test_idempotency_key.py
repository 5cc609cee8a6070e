"""A request that is made again: by the client's guid or by its ``Idempotency-Key``."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from rest_framework.test import APIClient

from django_mobilon_sms.choices import ErrorCode, Status
from django_mobilon_sms.models import IdempotencyKey, SmsMessage, db_now
from django_mobilon_sms.operations import purge
from tests.support.cron import Clock
from tests.support.messages import write
from tests.support.rest_door import (
    ALL,
    GOOD,
    address,
    code,
    codes,
    lasting,
    list_codes,
    login,
    rows,
)

pytestmark = pytest.mark.django_db

KEY = "order 4711, paid"
OTHER = {"number": "8 (902) 000-00-01", "text": "Ваш заказ в пути"}


def post(client: APIClient, body: Any, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(address(body), body, format="json", headers=headers)


# The key


@pytest.mark.databases
@pytest.mark.parametrize("body", [GOOD, [GOOD], [GOOD, OTHER, GOOD]], ids=["one", "list", "more"])
def test_same_key_again_answers_200_with_the_same_rows(client, body):
    first, again = post(client, body, KEY), post(client, body, KEY)
    assert (first.status_code, again.status_code) == (201, 200)
    assert lasting(first) == lasting(again)
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in (first, again)]
    assert replayed == [None, "true"]
    assert SmsMessage.objects.count() == (len(body) if isinstance(body, list) else 1)


def test_another_key_or_none_writes_again(client):
    for key in ("a", "b", "A", "a ", None, None):
        expected = 200 if key == "a " else 201  # the space is no part of the header's value
        assert post(client, GOOD, key and key.strip()).status_code == expected
    assert SmsMessage.objects.count() == 5


def test_key_belongs_to_its_user(client):
    mine, theirs = post(client, GOOD, KEY), post(login(*ALL, name="shop"), GOOD, KEY)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["guid"] != theirs.json()["guid"]


@pytest.mark.databases
def test_nobody_can_compute_the_guids_of_a_key():
    """Else anybody who may write could test for a key of another, or occupy it before."""
    seven = User.objects.create(pk=7, username="seven")
    guessed = uuid5(UUID("0b8f3d3c-52a5-4d43-9d0e-5b8f7f0a8d67"), f"0\0{seven.pk}\0invoice 4711")
    thief = login("add_smsmessage", name="thief")
    assert post(thief, GOOD | {"guid": str(guessed)}).status_code == 201
    owner = login(*ALL, name="seven")
    answer = post(owner, [GOOD, GOOD], "invoice 4711")
    assert answer.status_code == 201
    guids = [UUID(one["guid"]) for one in rows(answer)]
    assert [(guid.version, guid == guessed) for guid in guids] == [(4, False)] * 2
    [key] = IdempotencyKey.objects.all()
    assert (key.user_id, key.guids) == (seven.pk, [str(guid) for guid in guids])
    # Neither the key nor anything to try texts against.
    assert "invoice" not in str(vars(key))
    assert key.request_hash != sha256(json.dumps([GOOD, GOOD], sort_keys=True).encode()).hexdigest()


@pytest.mark.databases
def test_key_is_kept_only_with_its_messages(client, settings):
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 60
    for body in ({}, [GOOD, GOOD], GOOD | {"x": 1}, GOOD | {"text": {"a": [1]}}):
        assert post(client, body, KEY).status_code == 400
    assert (IdempotencyKey.objects.count(), SmsMessage.objects.count()) == (0, 0)
    assert post(client, GOOD, KEY).status_code == 201
    assert [post(client, body, KEY).status_code for body in (GOOD, [GOOD])] == [200, 200]
    assert (IdempotencyKey.objects.count(), SmsMessage.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"text": "другое"}, "text"),
        ({"number": "89020000000"}, "number"),
        ({"tag": "x", "priority": "high"}, "priority, tag"),
        ({"sensitive": True}, "sensitive"),
    ],
)
def test_same_key_with_other_content_is_a_conflict(client, change, named):
    post(client, GOOD, KEY)
    response = post(client, GOOD | change, KEY)
    assert (response.status_code, codes(response)) == (409, {"guid": ["conflict"]})
    assert f"another {named}." in response.json()["detail"]
    assert SmsMessage.objects.count() == 1


@pytest.mark.parametrize(
    ("again", "places"),
    [
        ([GOOD], [0]),
        (GOOD, None),
        ([GOOD, OTHER, GOOD], [2]),
        ([GOOD, OTHER, GOOD, GOOD], [2, 3]),
    ],
    ids=["shorter", "one", "longer", "much longer"],
)
def test_list_of_another_length_under_the_same_key_is_a_conflict(client, again, places):
    post(client, [GOOD, OTHER], KEY)
    response = post(client, again, KEY)
    assert response.status_code == 409
    if places is None:
        assert codes(response) == {"non_field_errors": ["conflict"]}
    else:
        assert list_codes(response) == [(place, "non_field_errors", "conflict") for place in places]
    assert SmsMessage.objects.count() == 2


def test_list_of_which_some_were_deleted_is_not_written_again(client):
    first = rows(post(client, [GOOD, OTHER], KEY))
    message = SmsMessage.objects.filter(guid=first[0]["guid"])
    message.cancel()
    message.delete()
    response = post(client, [GOOD, OTHER], KEY)
    assert (response.status_code, list_codes(response)) == (
        409,
        [(0, "non_field_errors", "conflict")],
    )
    SmsMessage.objects.all().cancel()
    SmsMessage.objects.all().delete()
    assert post(client, [GOOD, OTHER], KEY).status_code == 409
    assert SmsMessage.objects.count() == 0


@pytest.mark.databases
def test_key_is_purged_only_after_the_last_of_its_messages(client):
    """A late retry must not make a second SMS while the first can still be found."""
    post(client, [GOOD, OTHER], KEY)
    ended, waiting = SmsMessage.objects.order_by("pk")
    post(client, GOOD, "new")
    old = {"created_at": db_now() - timedelta(days=10)}
    SmsMessage.objects.filter(pk__in=[ended.pk, waiting.pk]).change(**old)
    IdempotencyKey.objects.filter(guids=[str(ended.guid), str(waiting.guid)]).update(**old)
    SmsMessage.objects.filter(pk=ended.pk).cancel()
    purge(timedelta(days=1))
    assert (SmsMessage.objects.count(), IdempotencyKey.objects.count()) == (2, 2)
    assert post(client, [GOOD, OTHER], KEY).status_code == 409
    SmsMessage.objects.all().cancel()
    purge(timedelta(days=1))
    assert (SmsMessage.objects.count(), IdempotencyKey.objects.count()) == (1, 1)
    assert post(client, GOOD, "new").status_code == 200
    assert post(client, [GOOD, OTHER], KEY).status_code == 201


def test_guid_of_the_client_goes_before_the_key(client):
    guid = str(uuid4())
    body = [GOOD | {"guid": guid}, OTHER]
    first, again = post(client, body, KEY), post(client, body, KEY)
    assert (first.status_code, again.status_code) == (201, 200)
    assert lasting(first) == lasting(again)
    assert rows(first)[0]["guid"] == guid
    other = post(client, [GOOD | {"guid": rows(first)[1]["guid"]}, OTHER], KEY)
    assert (other.status_code, SmsMessage.objects.count()) == (409, 2)
    for body in (GOOD | {"guid": str(uuid4())}, [GOOD | {"guid": str(uuid4())}, OTHER]):
        assert post(client, body, KEY).status_code == 409
    assert SmsMessage.objects.count() == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ", "a\tb", "\x7f"])
def test_malformed_key_is_refused(client, key):
    response = client.post(
        "/sms/messages/", GOOD, format="json", HTTP_IDEMPOTENCY_KEY=key.encode().decode("latin-1")
    )
    assert (response.status_code, code(response)) == (422, "malformed_key")
    assert SmsMessage.objects.count() == 0


@pytest.mark.parametrize("key", ["x" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "~", "a b"])
def test_any_key_of_printable_ascii_is_taken(client, key):
    assert [post(client, GOOD, key).status_code for _ in range(2)] == [201, 200]


def test_refused_request_may_be_corrected_under_the_same_key(client):
    assert post(client, [GOOD, GOOD | {"text": ""}], KEY).status_code == 400
    assert post(client, [GOOD, GOOD], KEY).status_code == 201


# What belongs to others


def test_guid_of_a_row_one_may_not_see_is_taken_and_nothing_else(client):
    [theirs] = write(guid=uuid4(), tag="their tag")
    blind = login("add_smsmessage", name="shop")
    same = {"guid": str(theirs.guid), "number": theirs.number, "text": theirs.text}
    answers = [post(blind, same), post(blind, same | {"text": "другое", "tag": "x"})]
    assert [answer.status_code for answer in answers] == [409, 409]
    expected = [{"field": "guid", "code": "conflict", "message": "This guid is taken."}]
    assert [answer.json()["errors"] for answer in answers] == [expected] * 2
    in_list = post(blind, [GOOD, same])
    assert (in_list.status_code, list_codes(in_list)) == (409, [(1, "guid", "conflict")])
    assert "their tag" not in in_list.content.decode()
    assert SmsMessage.objects.count() == 1


def test_guid_of_a_row_one_may_see_answers_with_it(client):
    [theirs] = write(guid=uuid4())
    same = {"guid": str(theirs.guid), "number": theirs.number, "text": theirs.text}
    assert post(client, same).json()["guid"] == str(theirs.guid)


def test_who_may_only_write_can_repeat_their_own():
    blind = login("add_smsmessage", name="shop")
    assert [post(blind, GOOD, KEY).status_code for _ in range(2)] == [201, 200]


def test_guid_that_another_took_from_a_key_reveals_nothing(client):
    mine = post(client, GOOD, KEY).json()
    thief = login("add_smsmessage", name="shop")
    assert post(thief, GOOD | {"guid": mine["guid"]}).json()["errors"] == [
        {"field": "guid", "code": "conflict", "message": "This guid is taken."}
    ]


# Judged as it was then


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """The database's clock, to be set."""
    clock = Clock()
    monkeypatch.setattr("django_mobilon_sms.database.clock.Now", clock)
    return clock


def an_hour(clock: Clock) -> dict[str, str]:
    """Times of a message that expires in an hour."""
    times = {"send_at": clock.now, "expires_at": clock.now + timedelta(hours=1)}
    return {name: time.isoformat() for name, time in times.items()}


@pytest.mark.databases
@pytest.mark.parametrize("many", [False, True], ids=["one", "list"])
@pytest.mark.parametrize("named", [True, False], ids=["guid", "key"])
def test_retry_after_the_expiry_finds_its_rows(client, clock, many, named):
    body: Any = GOOD | ({"guid": str(uuid4())} if named else {})
    body |= an_hour(clock)
    body = [body, OTHER | ({"guid": str(uuid4())} if named else {})] if many else body
    key = None if named else KEY
    first = post(client, body, key)
    assert first.status_code == 201
    clock.now += timedelta(hours=2)
    again = post(client, body, key)
    assert (again.status_code, lasting(again)) == (200, lasting(first))


@pytest.mark.databases
@pytest.mark.parametrize("key", [None, KEY])
def test_retry_after_an_expiry_that_was_compared_with_now_finds_its_rows(client, key):
    soon = connection_time() + timedelta(hours=1)
    body = GOOD | {"expires_at": soon.isoformat()} | ({} if key else {"guid": str(uuid4())})
    first = post(client, body, key)
    assert first.status_code == 201
    # An hour later: the row is as old, and so is its expiry.
    hours = timedelta(hours=2)
    SmsMessage.objects.all().change(
        created_at=db_now() - hours, send_at=db_now() - hours, expires_at=soon - hours
    )
    body["expires_at"] = (soon - hours).isoformat()
    again = post(client, body, key)
    assert (again.status_code, again.json()["guid"]) == (200, first.json()["guid"])
    SmsMessage.objects.expire()
    again = post(client, body, key)
    assert (again.status_code, again.json()["status"]) == (200, "expired")
    assert post(client, body | {"text": "другое"}, key).status_code == 409


def connection_time() -> Any:
    from django_mobilon_sms.models import GatewayState

    return GatewayState.objects.current().now


def test_retry_after_the_settings_changed_finds_its_rows(client, settings):
    body = GOOD | {"guid": str(uuid4()), "text": "я" * 100}
    assert post(client, body).status_code == 201
    settings.MOBILON_SMS_NUMBER_PATTERN = r"\+78\d{9}"
    settings.MOBILON_SMS_MAX_SEGMENTS = 1
    settings.MOBILON_SMS_SOURCE = ""
    assert post(client, body).status_code == 200
    assert post(client, body | {"number": "12"}).status_code == 400
    assert codes(post(client, body | {"guid": str(uuid4())})) == {
        "number": ["not_allowed"],
        "text": ["too_long"],
        "source": ["required"],
    }


def test_retry_after_the_number_was_stopped_finds_its_rows(client):
    from django_mobilon_sms.outbox import stop

    post(client, GOOD, KEY)
    stop([GOOD["number"]])
    assert post(client, GOOD, KEY).json()["status"] == "cancelled"
    assert codes(post(client, GOOD)) == {"number": ["stopped"]}


def test_retry_after_the_text_was_forgotten_and_after_a_resend_finds_its_row(client, clock):
    body = GOOD | an_hour(clock)
    post(client, body, KEY)
    clock.now += timedelta(hours=2)
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    SmsMessage.objects.all().resend(by=None)
    assert SmsMessage.objects.get().expires_at is None
    assert post(client, body, KEY).status_code == 200
    assert SmsMessage.objects.all().forget() == 0  # it is still to be sent
    SmsMessage.objects.all().change(status=Status.CANCELLED)
    assert SmsMessage.objects.all().forget() == 1
    assert post(client, body, KEY).status_code == 200
    # Another text cannot be compared with the forgotten one, but the request is another.
    response = post(client, body | {"text": "другое"}, KEY)
    assert (response.status_code, codes(response)) == (409, {"non_field_errors": ["conflict"]})


# At the same moment


@pytest.fixture(params=[False, True], ids=["", "ATOMIC_REQUESTS"])
def _atomic_requests(request: pytest.FixtureRequest) -> Iterator[None]:
    connection.settings_dict["ATOMIC_REQUESTS"] = request.param
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = False


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_atomic_requests")
@pytest.mark.parametrize("count", [2, 16])
@pytest.mark.parametrize("rows", [1, 20], ids=["one", "list"])
@pytest.mark.parametrize("named", [True, False], ids=["guid", "key"])
def test_clients_that_repeat_a_request_at_the_same_moment_get_the_same_rows(count, rows, named):
    """Each of some orders is written by whoever is first, however many clients retry it."""
    orders = []
    for _ in range(3):
        body: Any = [OTHER | ({"guid": str(uuid4())} if named else {}) for _ in range(rows)]
        orders.append((body if rows > 1 else body[0], None if named else str(uuid4())))
    clients = [login(*ALL) for _ in range(count)]
    start, answers = threading.Barrier(count, timeout=60), []

    def retry(client: APIClient) -> None:
        try:
            for place, (body, key) in enumerate(orders):
                start.wait()
                answers.append((place, post(client, body, key)))
        except BaseException:
            start.abort()  # nobody waits for this one
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=retry, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place in range(len(orders)):
        mine = [answer for at, answer in answers if at == place]
        assert sorted(answer.status_code for answer in mine) == [200] * (count - 1) + [201]
        assert all(lasting(answer) == lasting(mine[0]) for answer in mine)
    assert SmsMessage.objects.count() == len(orders) * rows


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_other_requests_under_one_key_at_the_same_moment_are_conflicts():
    """Only the first of them is written, whole, although no two name the same messages."""
    clients = [login(*ALL) for _ in range(4)]
    start, answers = threading.Barrier(len(clients), timeout=60), []

    def send(place: int, client: APIClient) -> None:
        try:
            start.wait()
            answers.append(post(client, [GOOD | {"text": f"Код {place}"}] * (place + 1), KEY))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=each) for each in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    [written] = [rows(answer) for answer in answers if answer.status_code == 201]
    assert {each["text"] for each in written} == set(
        SmsMessage.objects.values_list("text", flat=True)
    )
    assert SmsMessage.objects.count() == len(written)
    assert IdempotencyKey.objects.get().guids == [each["guid"] for each in written]


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_request_that_ends_by_a_deadlock_is_repeated():
    """Another writer has the second guid, and then wants the first."""
    guids = [uuid4(), uuid4()]
    client, has_one = login(*ALL), threading.Event()

    def other() -> None:
        try:
            with transaction.atomic():
                write(300)  # a database gives up the smaller of two transactions
                write(guid=guids[1])
                has_one.set()
                time.sleep(0.5)  # were the request slower than that, there would be no deadlock
                write(guid=guids[0])
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    assert has_one.wait(30)
    body = {"number": "+79135292926", "text": "Ваш заказ готов"}
    answer = post(client, [body | {"guid": str(guid)} for guid in guids])
    thread.join()
    assert (answer.status_code, [one["guid"] for one in rows(answer)]) == (
        200,
        [str(guid) for guid in guids],
    )
    assert SmsMessage.objects.count() == 302
