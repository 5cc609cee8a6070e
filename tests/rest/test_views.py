"""The REST door, through the door: also as a stranger, and with too few rights."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta, timezone
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.test import APIClient

from django_mobilon_sms.choices import ErrorCode, Status
from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from tests.support.messages import asked_batch, write
from tests.support.rest_door import ALL, GOOD, code, codes, lasting, list_codes, login, post, rows

pytestmark = pytest.mark.django_db

# Writing


def test_message_is_written_and_waits(client):
    response = post(client, GOOD)
    assert response.status_code == 201
    message = SmsMessage.objects.get()
    assert response["Location"] == f"http://testserver/sms/messages/{message.guid}/"
    body = response.json()
    times = {name: body.pop(name) for name in ("send_at", "created_at")}
    assert body == {
        "guid": str(message.guid),
        "number": "+79135292926",
        "source": "89234560000",
        "text": " Ваш заказ готов\n",
        "status": "pending",
        "priority": "normal",
        "expires_at": None,
        "segments": 1,
        "attempts": 0,
        "resends": 0,
        "gateway_id": "",
        "gateway_status": None,
        "error_code": "",
        "error": "",
        "resolution": "",
        "tag": "",
        "accepted_at": None,
        "sent_at": None,
        "delivered_at": None,
        "is_new": True,
    }
    assert all(time.endswith("Z") for time in times.values())
    assert message.created_by.username == "billing"


def test_every_writable_field_is_written(client):
    body = GOOD | {
        "guid": str(uuid4()),
        "source": "89230000000",
        "send_at": "2030-01-01T10:00:00+07:00",
        "expires_at": "2030-01-02T00:00:00Z",
        "priority": "high",
        "tag": "order-1",
    }
    answer = post(client, body).json()
    assert {name: answer[name] for name in ("guid", "source", "priority", "tag")} == {
        name: body[name] for name in ("guid", "source", "priority", "tag")
    }
    assert (answer["send_at"], answer["expires_at"]) == (
        "2030-01-01T03:00:00Z",
        "2030-01-02T00:00:00Z",
    )


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"number": "8495 123-45-67"}, {"number": ["landline"]}),
        ({"number": 89135292926}, {"number": ["not_text"]}),
        ({"number": True}, {"number": ["not_text"]}),
        ({"number": None}, {"number": ["not_text"]}),
        ({"text": ""}, {"text": ["empty"]}),
        ({"text": 5}, {"text": ["not_text"]}),
        ({"text": "a\0b"}, {"text": ["nul"]}),
        ({"text": "я" * 671}, {"text": ["too_long"]}),
        ({"send_at": "2030-01-01T10:00:00"}, {"send_at": ["naive"]}),
        ({"send_at": "tomorrow"}, {"send_at": ["invalid"]}),
        ({"send_at": "2030-02-30T10:00:00Z"}, {"send_at": ["invalid"]}),
        ({"send_at": 5}, {"send_at": ["invalid"]}),
        ({"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": ["expires_before_send"]}),
        ({"priority": 5}, {"priority": ["invalid"]}),
        ({"priority": "urgent"}, {"priority": ["invalid"]}),
        ({"priority": []}, {"priority": ["invalid"]}),
        ({"guid": "1"}, {"guid": ["invalid"]}),
        ({"guid": 1}, {"guid": ["invalid"]}),
        ({"tag": "x" * 65}, {"tag": ["invalid"]}),
        ({"tag": {}}, {"tag": ["not_text"]}),
        ({"source": "with space"}, {"source": ["invalid"]}),
        ({"status": "sent"}, {"status": ["unknown_field"]}),
        (
            {"gateway_id": "x", "txet": "y"},
            {"gateway_id": ["unknown_field"], "txet": ["unknown_field"]},
        ),
    ],
)
def test_bad_value_is_named_by_its_field_and_code(client, change, errors):
    response = post(client, GOOD | change)
    assert (response.status_code, codes(response)) == (400, errors)
    assert SmsMessage.objects.count() == 0


def test_lone_surrogate_is_refused(client):
    body = json.dumps(GOOD | {"text": "\ud800"}).encode()
    response = client.generic("POST", "/sms/messages/", body, content_type="application/json")
    assert (response.status_code, codes(response)) == (400, {"text": ["surrogate"]})


@pytest.mark.parametrize("body", [b"5", b'"text"', b"null", b"true"])
def test_what_is_no_message_is_refused(client, body):
    response = client.generic("POST", "/sms/messages/", body, content_type="application/json")
    assert (response.status_code, codes(response)) == (400, {"non_field_errors": ["not_an_object"]})


def test_one_and_many_are_separate_addresses(client):
    listed = client.post("/sms/messages/", [GOOD], format="json")
    single = client.post("/sms/messages/many/", GOOD, format="json")
    assert [answer.status_code for answer in (listed, single)] == [400, 400]
    assert codes(listed) == {"non_field_errors": ["not_an_object"]}
    assert "messages/many/" in listed.content.decode()
    assert codes(single) == {"non_field_errors": ["length"]}
    assert SmsMessage.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"text": NaN}',
        b'{"text": ' + b"9" * 5000 + b"}",
        b'{"text": "a", "text": "b"}',
        b'{"text": "\xff"}',
    ],
    ids=["empty", "cut", "deep", "nan", "huge", "twice", "utf8"],
)
def test_broken_json_is_refused(client, body):
    response = client.generic("POST", "/sms/messages/", body, content_type="application/json")
    assert response.status_code == 400


def test_body_over_two_megabytes_is_refused(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    body = json.dumps(GOOD | {"text": "x" * 2 * 1024 * 1024}).encode()
    response = client.generic("POST", "/sms/messages/", body, content_type="application/json")
    assert response.status_code == 413


def test_other_content_types_are_refused(client):
    response = client.post("/sms/messages/", GOOD)  # multipart
    assert response.status_code == 415


# The same guid again


def test_same_guid_with_the_same_content_answers_with_the_same_row(client):
    body = GOOD | {"guid": str(uuid4())}
    first, second = post(client, body), post(client, body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert lasting(first) == lasting(second)


def test_same_guid_with_other_content_is_a_conflict(client):
    body = GOOD | {"guid": str(uuid4())}
    post(client, body)
    response = post(client, body | {"text": "другое", "tag": "x"})
    assert (response.status_code, codes(response)) == (409, {"guid": ["conflict"]})
    assert "text, tag" in response.json()["detail"]


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_same_guid_at_the_same_moment_is_written_once():
    clients = [login(*ALL), login(*ALL)]
    body, start, answers = GOOD | {"guid": str(uuid4())}, threading.Barrier(2, timeout=30), []

    def send(client):
        start.wait()
        answers.append(post(client, body))
        connection.close()

    threads = [threading.Thread(target=send, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 201]
    assert lasting(answers[0]) == lasting(answers[1])
    assert SmsMessage.objects.count() == 1


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same", [True, False], ids=["same guid", "other guids"])
@pytest.mark.parametrize("many", [True, False], ids=["list", "one"])
def test_requests_at_the_same_moment_all_get_their_rows(many, same):
    guid, start, codes_seen = str(uuid4()), threading.Barrier(8, timeout=30), []

    def send(client):
        body = GOOD | {"guid": guid if same else str(uuid4())}
        start.wait()
        codes_seen.append(post(client, [body] if many else body).status_code)
        connection.close()

    clients = [login(*ALL) for _ in range(8)]
    threads = [threading.Thread(target=send, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = 1 if same else 8
    assert sorted(codes_seen) == [200] * (8 - written) + [201] * written
    assert SmsMessage.objects.count() == written


# Lists


def test_list_is_written_in_its_order(client):
    response = post(client, [GOOD | {"tag": str(n)} for n in range(3)])
    assert response.status_code == 201
    assert [one["tag"] for one in rows(response)] == ["0", "1", "2"]
    assert SmsMessage.objects.count() == 3


def test_list_with_bad_rows_is_not_written_at_all(client):
    response = post(client, [GOOD, GOOD | {"number": "12"}, GOOD | {"text": ""}])
    assert response.status_code == 400
    assert list_codes(response) == [
        (1, "number", "too_short"),
        (2, "text", "empty"),
    ]
    assert SmsMessage.objects.count() == 0


def test_list_with_strange_rows_names_them(client):
    response = post(client, [GOOD, 5, GOOD | {"x": 1}])
    assert list_codes(response) == [
        (1, "non_field_errors", "not_an_object"),
        (2, "x", "unknown_field"),
    ]


@pytest.mark.parametrize("count", [0, 1001])
def test_list_has_1_to_1000_messages(client, count):
    response = post(client, [GOOD] * count)
    assert (response.status_code, codes(response)) == (400, {"non_field_errors": ["length"]})


def test_list_of_1000_is_written_and_answered(client):
    assert len(rows(post(client, [GOOD] * 1000))) == 1000


def test_list_again_answers_200_and_with_other_content_409(client):
    rows = [GOOD | {"guid": str(uuid4())} for _ in range(2)]
    assert [post(client, rows).status_code for _ in range(2)] == [201, 200]
    rows[1]["text"] = "другое"
    response = post(client, rows)
    assert response.status_code == 409
    assert [(e["index"], e["code"]) for e in response.json()["errors"]] == [(1, "conflict")]


# Who may


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("post", ""),
        ("get", "summary/"),
        ("get", "queue/"),
        ("get", "{guid}/"),
        ("post", "{guid}/refresh/"),
        ("post", "{guid}/cancel/"),
        ("post", "{guid}/resend/"),
    ],
)
def test_strangers_and_users_without_rights_get_nothing(method, path):
    [message] = write()
    address = "/sms/messages/" + path.format(guid=message.guid)
    for client in (APIClient(), login()):
        response = getattr(client, method)(address, {}, format="json")
        assert response.status_code == 403
        assert code(response) in ("not_authenticated", "permission_denied")
    message.refresh_from_db()
    assert message.status == Status.PENDING


def test_right_to_see_is_no_right_to_write_or_act():
    client, [message] = login("view_smsmessage"), write()
    assert client.get("/sms/messages/").status_code == 200
    assert post(client, GOOD).status_code == 403
    assert post(client, {}, f"{message.guid}/cancel/").status_code == 403


def test_texts_are_for_those_who_may_see_them():
    [message] = write()
    client = login("view_smsmessage", "add_smsmessage", "send_smsmessage")
    assert client.get(f"/sms/messages/{message.guid}/").json()["text"] is None
    assert client.get("/sms/messages/").json()["results"][0]["text"] is None
    assert post(client, GOOD).json()["text"] is None
    assert post(client, {}, f"{message.guid}/cancel/").json()["text"] is None
    assert (
        message.text not in client.get("/sms/messages/", HTTP_ACCEPT="text/html").content.decode()
    )


def test_session_without_csrf_token_is_refused(client):
    strict = APIClient(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="billing"))
    assert post(strict, GOOD).status_code == 403
    assert SmsMessage.objects.count() == 0


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_messages_are_not_changed_or_deleted(client, method):
    [message] = write()
    address = f"/sms/messages/{message.guid}/"
    assert getattr(client, method)(address, GOOD, format="json").status_code == 405


@pytest.mark.parametrize("path", ["refresh/", "cancel/", "resend/"])
def test_nothing_changes_by_get(client, path):
    [message] = write()
    assert client.get(f"/sms/messages/{message.guid}/{path}").status_code == 405


@pytest.mark.parametrize(
    "guid", ["1", "99999999999999999999", "%00", "7802d99b-3917-41ac-a0b7-52d5d44e6cd3"]
)
def test_guid_that_is_none_or_nobodys_is_not_found(client, guid):
    assert client.get(f"/sms/messages/{guid}/").status_code == 404


def test_writing_and_acting_are_throttled(client, settings, monkeypatch):
    from django_mobilon_sms.rest import throttling

    monkeypatch.setattr(throttling.CreateThrottle, "default_rate", "2/min")
    assert [post(client, GOOD).status_code for _ in range(3)] == [201, 201, 429]
    assert client.get("/sms/messages/").status_code == 200


# Finding


def found(client, query):
    response = client.get(f"/sms/messages/?{query}")
    assert response.status_code == 200, response.json()
    return [one["tag"] for one in response.json()["results"]]


def test_filters(client):
    write(tag="a", number="+79135292926")
    write(tag="b", source="89230000000")
    write(tag="c", number="+79020000000")
    SmsMessage.objects.filter(tag="b").hold(ErrorCode.TIMEOUT)
    SmsMessage.objects.filter(tag="c").change(sent_at=datetime(2020, 1, 1, tzinfo=timezone.utc))
    SmsMessage.objects.filter(tag="a").cancel()
    assert found(client, "") == ["c", "b", "a"]
    assert found(client, "status=unknown&status=cancelled") == ["b", "a"]
    assert found(client, "tag=b") == ["b"]
    assert found(client, "source=89230000000&status=unknown") == ["b"]
    assert found(client, "source=89230000000&error_code=timeout") == ["b"]
    assert found(client, "source=89230000000&created_after=2020-01-01T00:00:00Z") == ["b"]
    assert found(client, "error_code=timeout") == ["b"]
    assert found(client, "created_before=2020-01-01T00:00:00Z") == []
    assert found(client, "created_after=2020-01-01T00:00:00Z") == ["c", "b", "a"]
    assert found(client, "sent_after=2020-01-01T00:00:00Z&sent_before=2020-01-02T00:00:00Z") == [
        "c"
    ]


@pytest.mark.databases
def test_time_may_have_a_zone_that_no_place_has(client):
    """PostgreSQL refuses a time that is 16 hours or more from UTC."""
    write(tag="a")
    SmsMessage.objects.all().change(sent_at=datetime(2020, 1, 1, tzinfo=timezone.utc))
    for name in ("created", "sent"):
        after, before = "2019-12-31T00:00:00-18:20", "2198-05-06T13:47:02-18:20"
        assert found(client, f"{name}_after={after}&{name}_before={before}") == ["a"]


@pytest.mark.databases
@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("status=bogus", {"status": ["invalid_choice"]}),
        ("status=%00", {"status": ["invalid_choice"]}),
        ("number=12", {"number": ["number_in_url"]}),
        ("number=%2B79135292926&text=x", {"number": ["number_in_url"]}),
        ("tag=%00", {"tag": ["null_characters_not_allowed"]}),
        ("source=%00", {"source": ["null_characters_not_allowed"]}),
        ("error_code=x", {"error_code": ["invalid_choice"]}),
        ("created_after=2026-01-01T00:00:00", {"created_after": ["naive"]}),
        ("created_after=%20%20%202026-01-01T00:00:00", {"created_after": ["naive"]}),
        ("created_after=soon-Z", {"created_after": ["invalid"]}),
        ("created_after=0001-01-01T00:00:00%2B23:59", {"created_after": ["invalid"]}),
        ("text=secret", {"text": ["unknown_parameter"]}),
        ("source=89230000000", {"source": ["too_wide"]}),
    ],
)
def test_bad_parameter_is_named(client, query, errors):
    for path in ("", "summary/"):
        response = client.get(f"/sms/messages/{path}?{query}")
        assert (response.status_code, codes(response)) == (400, errors)


def test_pages_follow_each_other_and_are_bounded(client):
    write(3)
    first = client.get("/sms/messages/?page_size=2").json()
    second = client.get(first["next"]).json()
    assert (len(first["results"]), len(second["results"]), second["next"]) == (2, 1, None)
    assert client.get("/sms/messages/?page_size=1000000000").status_code == 200
    assert client.get("/sms/messages/?cursor=bogus").status_code == 404


def test_list_takes_a_few_statements_whatever_its_length(client, django_assert_max_num_queries):
    write(20)
    with django_assert_max_num_queries(5):
        client.get("/sms/messages/")


def test_queue_estimates_how_long_it_takes(client, settings):
    assert client.get("/sms/messages/queue/").json() == {"seconds_to_empty": 0}
    write(3)
    assert client.get("/sms/messages/queue/").json() == {"seconds_to_empty": None}
    settings.MOBILON_SMS_RATE = "1/h"
    seconds = client.get("/sms/messages/queue/").json()["seconds_to_empty"]
    assert 3600 < seconds <= 3 * 3600  # the second begins with the next hour, the third one later


def test_summary_counts_messages_and_segments(client):
    write(2, text="я" * 71)
    write(tag="x")
    SmsMessage.objects.filter(tag="x").cancel()
    assert client.get("/sms/messages/summary/").json() == {
        "statuses": [
            {"status": "cancelled", "messages": 1, "segments": 1},
            {"status": "pending", "messages": 2, "segments": 4},
        ],
        "complete": True,
        "as_of": None,
    }
    assert client.get("/sms/messages/summary/?tag=x").json()["statuses"] == [
        {"status": "cancelled", "messages": 1, "segments": 1}
    ]


# Acting


def test_cancel_takes_a_pending_message_back_once(client):
    [message] = write()
    response = post(client, {}, f"{message.guid}/cancel/")
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    message.refresh_from_db()
    assert (message.cancelled_by.username, message.cancelled_at is None) == ("billing", False)
    again = post(client, {}, f"{message.guid}/cancel/")
    assert again.status_code == 409
    assert again.json()["current"]["status"] == "cancelled"
    assert codes(again) == {"non_field_errors": ["state"]}


def test_resend_needs_the_risk_to_be_accepted(client):
    [message] = write()
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    for body in ({}, {"accept_duplicate": False}, {"accept_duplicate": 1}, []):
        assert post(client, body, f"{message.guid}/resend/").status_code == 400
    response = post(client, {"accept_duplicate": True}, f"{message.guid}/resend/")
    assert (response.status_code, response.json()["status"], response.json()["resends"]) == (
        200,
        "pending",
        1,
    )
    message.refresh_from_db()
    assert (message.resent_by.username, message.resolved_by) == ("billing", None)
    again = post(client, {"accept_duplicate": True}, f"{message.guid}/resend/")
    assert again.status_code == 409


#: The statuses in which each action is possible, and what it leads to.
POSSIBLE = {
    "refresh": {"accepted": "accepted", "sent": "sent"},
    "cancel": {"pending": "cancelled"},
    "resend": {"unknown": "pending"},
}


def in_status(status: Status) -> SmsMessage:
    """A message as it would be there."""
    [message] = write()
    proved = {"gateway_id": "7", "accepted_at": db_now(), "batch": asked_batch()}
    batch = {"batch": SmsBatch.objects.create(worker="x", lease_until=db_now() + timedelta(1))}
    known = {Status.ACCEPTED: proved, Status.SENT: proved, Status.DELIVERED: proved}
    values = {Status.SENDING: batch} | known
    SmsMessage.objects.filter(pk=message.pk).change(status=status, **values.get(status, {}))
    return SmsMessage.objects.get()


@pytest.mark.databases
@pytest.mark.parametrize("action", POSSIBLE)
@pytest.mark.parametrize("status", Status)
def test_action_is_guarded_by_the_state(client, settings, action, status):
    settings.MOBILON_SMS_STATUS_REPLIES = {1: "sent", 2: "delivered"}
    message = in_status(status)
    body = {"accept_duplicate": True} if action == "resend" else {}
    answer = post(client, body, f"{message.guid}/{action}/")
    message.refresh_from_db()
    if status in POSSIBLE[action]:
        assert answer.status_code == (202 if action == "refresh" else 200)
        assert answer.json()["status"] == message.status == POSSIBLE[action][status]
    else:
        assert answer.status_code == 409
        assert codes(answer) == {"non_field_errors": ["state"]}
        assert answer.json()["current"]["status"] == message.status == status


@pytest.mark.parametrize(
    ("path", "body", "errors"),
    [
        ("cancel", {"accept_duplicate": True}, {"accept_duplicate": ["unknown_field"]}),
        ("refresh", {"status": "sent"}, {"status": ["unknown_field"]}),
        ("cancel", [], {"non_field_errors": ["not_an_object"]}),
        ("resend", {}, {"accept_duplicate": ["required"]}),
        ("resend", {"accept_duplicate": True, "x": 1}, {"x": ["unknown_field"]}),
        ("resend", "true", {"non_field_errors": ["not_an_object"]}),
    ],
)
def test_body_of_an_action_is_read_strictly(client, path, body, errors):
    message = in_status(Status.UNKNOWN if path == "resend" else Status.PENDING)
    response = post(client, body, f"{message.guid}/{path}/")
    assert (response.status_code, codes(response)) == (400, errors)
    assert SmsMessage.objects.get().status == message.status


@pytest.mark.parametrize("fields", [{}, {"outcome": "lost", "closed_at": db_now()}])
def test_resend_while_its_request_may_be_under_way_says_why_not(client, fields):
    message = in_status(Status.SENDING)
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    SmsBatch.objects.update(**fields)
    answer = post(client, {"accept_duplicate": True}, f"{message.guid}/resend/")
    assert answer.status_code == 409
    assert "may still be under way" in answer.json()["detail"]


def test_refresh_asks_soon_and_touches_no_gateway(client, sandbox, worker):
    [message] = write()
    worker("--no-refresh")
    heard = len(sandbox.exchanges)
    assert post(client, {}, f"{message.guid}/refresh/").status_code == 202
    assert len(sandbox.exchanges) == heard
    assert SmsBatch.objects.checkable().count() == 1
    SmsBatch.objects.update(next_check_at=None)
    assert post(client, {}, f"{message.guid}/refresh/").status_code == 409


def test_errors_speak_russian_to_those_who_ask_for_it(client):
    response = client.post(
        "/sms/messages/", GOOD | {"text": ""}, format="json", HTTP_ACCEPT_LANGUAGE="ru"
    )
    fault = {"field": "text", "code": "empty", "message": "Напишите текст."}
    assert (response.json()["errors"], response.json()["detail"]) == ([fault], fault["message"])


def test_not_found_is_in_russian_too(client):
    for address in (f"/sms/messages/{uuid4()}/", "/sms/messages/x/"):
        answer = client.get(address, HTTP_ACCEPT_LANGUAGE="ru")
        assert (answer.status_code, answer.json()["detail"]) == (404, "Страница не найдена.")
