"""What the REST door answers to what it cannot do: one shape, and never a 500."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta, timezone
from http.client import HTTPConnection, responses
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.exceptions import APIException
from rest_framework.test import APIClient

from django_mobilon_sms.models import GatewayState, SmsMessage
from django_mobilon_sms.phone_numbers import SENTENCES
from django_mobilon_sms.rest.errors import MEDIA_TYPE, Blocked
from tests.support.documents import DOCS, ROOT, column
from tests.support.messages import write
from tests.support.rest_door import (
    ALL,
    GOOD,
    basic,
    codes,
    list_codes,
    login,
    post,
    rows,
    with_password,
)

pytestmark = pytest.mark.django_db


def send(client: APIClient, body: bytes, path: str = "", **headers: Any) -> Any:
    address = f"/sms/messages/{path}"
    return client.generic("POST", address, body, content_type="application/json", **headers)


def names(count: int) -> bytes:
    """The members of an object that no request has."""
    return b", ".join(b'"a%d": 1' % n for n in range(count))


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (lambda c: c.get(f"/sms/messages/{uuid4()}/"), 404, "not_found"),
        (lambda c: c.get("/sms/messages/no-guid/"), 404, "not_found"),
        (lambda c: c.get("/sms/messages/?cursor=bogus"), 404, "not_found"),
        (lambda c: c.get("/sms/messages/", HTTP_ACCEPT="text/csv"), 406, "not_acceptable"),
        (lambda c: c.post("/sms/messages/", GOOD), 415, "unsupported_media_type"),
        (lambda c: send(c, b"{"), 400, "parse_error"),
        (lambda c: send(c, b'{"text": NaN}'), 400, "parse_error"),
        (lambda c: send(c, b'{"text": -Infinity}'), 400, "parse_error"),
        (lambda c: send(c, b'{"text": "a", "text": "b"}'), 400, "parse_error"),
        (lambda c: send(c, rb'{"\ud800": 1}'), 400, "parse_error"),
        (lambda c: send(c, b'[{"tag": {%s}}]' % names(21)), 400, "too_many_fields"),
        (lambda c: send(c, b"{%s}" % names(100_000)), 400, "too_many_fields"),
        (lambda c: send(c, b"", HTTP_TRANSFER_ENCODING="chunked"), 411, "length_required"),
        (lambda c: send(c, b" " * (2 * 1024 * 1024 + 1)), 413, "too_large"),
        (lambda c: APIClient().get("/sms/messages/"), 403, "not_authenticated"),
        (lambda c: basic("nobody", "wrong").get("/sms/messages/"), 403, "authentication_failed"),
        (lambda c: login().get("/sms/messages/"), 403, "permission_denied"),
        (lambda c: c.put("/sms/messages/"), 405, "method_not_allowed"),
        (lambda c: c.get("/sms/"), 404, "not_found"),
        (lambda c: APIClient().post("/sms/messages/x/y/z"), 404, "not_found"),
        (lambda c: c.delete("/sms/v2/messages/%0A"), 404, "not_found"),
    ],
)
def test_error_of_the_request_has_its_code(client, settings, ask, status, code):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    response = ask(client)
    assert response["Content-Type"] == MEDIA_TYPE
    assert response.json() == {
        "type": f"urn:problem-type:mobilon-sms:{code}",
        "title": responses[status],
        "status": status,
        "detail": response.json()["detail"],
        "code": code,
        "errors": [],
        "request_id": response["Request-Id"],
    }


def test_body_in_chunks_is_refused_and_not_taken_for_an_empty_one(live_server):
    """The test client would name a length, so a real server hears this request."""
    user = with_password(*ALL)
    [message] = write()
    secret = b64encode(f"{user.username}:secret".encode()).decode()
    headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}
    for path in ("", f"{message.guid}/cancel/"):
        connection = HTTPConnection(live_server.thread.host, live_server.thread.port, timeout=30)
        chunks = iter([b'{"number": ', b'"89135292926", "text": "x"}'])
        connection.request("POST", f"/sms/messages/{path}", chunks, headers, encode_chunked=True)
        response = connection.getresponse()
        assert (response.status, json.load(response)["code"]) == (
            411,
            "length_required",
        )
        connection.close()
    assert [one.status for one in SmsMessage.objects.all()] == ["pending"]


def test_time_in_the_past_is_refused_but_a_retry_finds_its_message(client):
    passed = GatewayState.objects.current().now - timedelta(hours=1)
    body = GOOD | {"send_at": passed.isoformat(), "guid": str(uuid4())}
    response = post(client, body)
    assert (response.status_code, codes(response)) == (400, {"send_at": ["past"]})
    assert list_codes(post(client, [GOOD, body])) == [(1, "send_at", "past")]
    assert post(client, body | {"send_at": (passed + timedelta(hours=2)).isoformat()}).json()
    SmsMessage.objects.all().change(send_at=passed)
    assert post(client, body).status_code == 200
    assert SmsMessage.objects.count() == 1


def test_no_answer_names_more_than_a_hundred_faults(client):
    body = b"[%s]" % b", ".join([b"{%s}" % names(20)] * 1000)
    answer = send(client, body, "many/").json()
    assert (len(answer["errors"]), answer["count"]) == (100, 1000)


@pytest.mark.databases
@pytest.mark.parametrize("page", ["application/json", "text/html"])
@pytest.mark.parametrize(
    "body",
    [
        rb'{"\ud800": 1}',
        rb'[{"\ud800": 1}]',
        rb'[{"\ud83d": 1, "\ude00": 1}]',
        rb'{"number": "\ud800", "text": "\ud800", "tag": "\ud800", "guid": "\ud800"}',
        rb'{"number": "89135292926", "text": "x", "send_at": "0001-01-01T00:00:00+14:00"}',
        rb'{"number": "89135292926", "text": "x", "send_at": "9999-12-31T23:59:59-14:00"}',
        rb'{"number": "89135292926", "text": "x", "send_at": "2999-12-31T23:59:59-10:00"}',
        rb'{"number": "89135292926", "text": "x", "send_at": "2026-01-01T00:00:00+99:99"}',
        rb'{"number": "89135292926", "text": 1e999}',
        rb'{"number": "89135292926", "text": "x", "priority": {"a": []}}',
        b'{"number": ' + b"9" * 4000 + b', "text": "x"}',
        b'{"number": "' + b"9" * 100_000 + b'", "text": "x"}',
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 900 + b"]" * 900,
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b'{"number": -Infinity}',
        b"\x00",
    ],
)
def test_garbage_is_an_error_of_the_client(client, body, page):
    response = send(client, body, HTTP_ACCEPT=page)
    assert response.status_code == 400
    assert SmsMessage.objects.count() == 0


@pytest.mark.parametrize("path", ["refresh/", "cancel/", "resend/"])
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"5", b"{", b"\xff", b'{"\\ud800": 1}'])
def test_garbage_to_an_action_is_no_crash(client, path, body):
    [message] = write()
    assert send(client, body, f"{message.guid}/{path}").status_code in (200, 400, 409)


def test_all_faults_of_a_message_are_named_at_once(client):
    body = {"number": "12", "text": "", "send_at": 5, "priority": "urgent", "txt": "x"}
    response = post(client, body)
    assert (response.status_code, codes(response)) == (
        400,
        {
            "number": ["too_short"],
            "text": ["empty"],
            "send_at": ["invalid"],
            "priority": ["invalid"],
            "txt": ["unknown_field"],
        },
    )


def test_all_faults_of_a_list_are_named_at_once(client):
    response = post(client, [GOOD | {"text": ""}, GOOD, GOOD | {"x": 1, "number": "12"}, 5])
    assert response.status_code == 400
    assert list_codes(response) == [
        (0, "text", "empty"),
        (2, "number", "too_short"),
        (2, "x", "unknown_field"),
        (3, "non_field_errors", "not_an_object"),
    ]
    assert response.json()["count"] == 3
    assert SmsMessage.objects.count() == 0


@pytest.mark.parametrize("change", [{"x": 1}, {"text": ""}])
def test_first_100_faults_of_a_list_are_named_and_all_are_counted(client, change):
    row = GOOD | change | {"expires_at": "2020-01-01T00:00:00Z"}
    with CaptureQueriesContext(connection) as statements:
        answer = post(client, [row] * 1000).json()
    assert (len(answer["errors"]), answer["count"]) == (100, 1000)
    assert len(statements) < 20


def test_list_where_one_guid_conflicts_and_one_row_is_bad_is_a_bad_request(client):
    body = GOOD | {"guid": str(uuid4())}
    post(client, body)
    response = post(client, [body | {"text": "x"}, GOOD | {"text": ""}])
    assert (response.status_code, [e["code"] for e in response.json()["errors"]]) == (
        400,
        ["empty"],
    )


def test_guid_twice_in_a_list_is_one_message(client):
    body = GOOD | {"guid": str(uuid4())}
    response = post(client, [body, body])
    assert response.status_code == 201
    first, second = rows(response)
    assert first | {"index": 1} == second
    assert SmsMessage.objects.count() == 1
    other = {"guid": str(uuid4())}
    response = post(client, [GOOD | other, GOOD | other | {"text": "x"}])
    assert [(e["index"], e["code"]) for e in response.json()["errors"]] == [(1, "conflict")]
    assert SmsMessage.objects.count() == 1


def test_guid_is_found_as_others_write_it(client):
    [message] = write()
    answer = client.get(f"/sms/messages/{str(message.guid).upper()}/").json()
    assert answer["guid"] == str(message.guid)


def test_times_are_utc_whatever_the_project_formats(client, settings):
    settings.REST_FRAMEWORK = {"DATETIME_FORMAT": "%d.%m.%Y"}
    [message] = write()
    created = message.created_at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    assert client.get(f"/sms/messages/{message.guid}/").json()["created_at"] == created


def codes_of(path: Path) -> set[str]:
    """The codes that a module names for the faults of a field."""
    source = path.read_text(encoding="utf-8")
    return set(re.findall(r'(?:code=|\), )"([a-z_]+)"[,)\n]', source))


def documented(table: str, place: int = 0) -> set[str]:
    cells = column(DOCS / "reference/rest.rst", table, place)
    return {code for cell in cells for code in cell.split(", ")}


def test_codes_of_faults_are_those_of_the_code():
    package = ROOT / "django_mobilon_sms"
    own = (
        "outbox/validation",
        "outbox/duplicates",
        "outbox/recipient_limit",
        "outbox/stop_list",
        "outbox/guid_conflicts",
        "outbox/writing",
        "phone_numbers",
    )
    modules = [*(package / f"{name}.py" for name in own), *(package / "rest").rglob("*.py")]
    named = {code for module in modules for code in codes_of(module)}
    named.remove("line")  # of what only the admin does
    djangos = {"invalid_choice", "max_value", "min_value", "null_characters_not_allowed"}
    problems = {"too_many_fields"}  # of a parse error
    blocked = {Blocked.default_code}
    assert documented("codes-table") == (named | set(SENTENCES) | djangos | blocked) - problems


def problems_of(kind: type[APIException]) -> Iterator[tuple[str, str]]:
    """The code and the status of each error that REST may answer with."""
    for each in kind.__subclasses__():
        if each.__module__.startswith(("rest_framework.exceptions", "django_mobilon_sms")):
            yield str(each.default_code), str(each.status_code)
        yield from problems_of(each)


def test_codes_of_problems_are_those_of_the_code():
    rows = zip(*(column(DOCS / "reference/rest.rst", "problems-table", n) for n in (0, 1)))
    drfs = {("invalid", "400")}  # DRF's ValidationError: ours has the faults
    assert {*rows} == {*problems_of(APIException), ("too_many_fields", "400")} - drfs


def test_fields_are_those_of_the_code():
    from django_mobilon_sms.rest.messages.request_rows import WRITABLE

    documented = column(DOCS / "reference/rest.rst", "fields-table")
    assert sorted(documented) == sorted(WRITABLE)


def test_only_what_was_written_now_is_201_and_has_a_location(client):
    rows = [GOOD | {"guid": str(uuid4())} for _ in range(2)]
    first, again = post(client, rows[0]), post(client, rows[0])
    assert (first.status_code, "Location" in first) == (201, True)
    assert (again.status_code, "Location" in again) == (200, False)
    assert [post(client, rows).status_code for _ in range(2)] == [201, 200]


def test_partly_repeated_list_says_which_messages_are_new(client):
    old, new = (GOOD | {"guid": str(uuid4())} for _ in range(2))
    assert post(client, old).json()["is_new"] is True
    partly, again = post(client, [new, old, new]), post(client, [new, old])
    assert [one["is_new"] for one in rows(partly)] == [True, False, True]
    assert [one["is_new"] for one in rows(again)] == [False, False]
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in (partly, again)]
    assert (partly.status_code, again.status_code, replayed) == (201, 200, [None, "true"])
