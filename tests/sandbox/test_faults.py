from __future__ import annotations

import random
import re
from typing import Any

import pytest
import requests

from django_mobilon_sms.sandbox import Case, Reply, Sandbox, json_reply
from django_mobilon_sms.sandbox.broken_replies import FAULTS
from tests.support.broken_replies import BROKEN_REPLIES

TEXT = "text/plain; charset=utf-8"
GUID = "7802d99b-3917-81ac-e0b7-52d5d44e6cd3"
MESSAGE = {"guid": GUID, "text": "привет", "number": "89135290000", "source": "89234560000"}


def request(sandbox: Sandbox, path: str = "send/", **changes: object) -> requests.Response:
    return requests.post(
        sandbox.url + path,
        json=[{**MESSAGE, "id": "x", **changes}],
        auth=("sandbox", "sandbox"),
        timeout=30,
        allow_redirects=False,
    )


def post(sandbox: Sandbox, path: str = "send/", **changes: object) -> int:
    return request(sandbox, path, **changes).status_code


def test_a_fault_strikes_once_by_default(sandbox: Sandbox) -> None:
    sandbox.fault("http_500")
    assert [post(sandbox) for _ in range(3)] == [500, 200, 200]
    sandbox.fault("http_503", times=2)
    assert [post(sandbox) for _ in range(3)] == [503, 503, 200]


def test_faults_strike_in_the_order_they_were_set(sandbox: Sandbox) -> None:
    sandbox.fault("http_500")
    sandbox.fault("http_503")
    assert [post(sandbox) for _ in range(3)] == [500, 503, 200]
    assert [exchange.fault for exchange in sandbox.posts] == ["http_500", "http_503", ""]


def test_a_fault_strikes_its_path_only(sandbox: Sandbox) -> None:
    sandbox.fault("http_500", path="/status/")
    assert [post(sandbox), post(sandbox, "status/"), post(sandbox, "status/")] == [200, 500, 200]


def test_a_rate_strikes_the_same_requests_under_the_same_seed(sandbox: Sandbox) -> None:
    sandbox.random.seed(7)
    sandbox.fault("http_500", rate=0.4)
    chance = random.Random(7)
    expected = [500 if chance.random() < 0.4 else 200 for _ in range(20)]
    assert [post(sandbox) for _ in range(20)] == expected
    assert set(expected) == {200, 500}


@pytest.mark.parametrize(("rate", "code"), [(0, 200), (1, 500)])
def test_a_rate_of_none_and_of_all(sandbox: Sandbox, rate: float, code: int) -> None:
    sandbox.fault("http_500", rate=rate)
    assert [post(sandbox) for _ in range(5)] == [code] * 5


def test_faults_can_be_cleared(sandbox: Sandbox) -> None:
    sandbox.fault("http_500", rate=1)
    sandbox.fault("hang", times=5)
    assert sandbox.faults == [
        {"name": "http_500", "path": "/send/", "times": None, "rate": 1},
        {"name": "hang", "path": "/send/", "times": 5, "rate": None},
    ]
    sandbox.clear_faults()
    assert (post(sandbox), sandbox.faults) == (200, [])


def test_a_wrong_request_is_refused_in_spite_of_a_fault(sandbox: Sandbox) -> None:
    sandbox.fault("not_json")
    assert post(sandbox, guid="") == 400
    assert [(exchange.fault, exchange.code) for exchange in sandbox.posts] == [("", 400)]


@pytest.mark.parametrize(
    ("name", "taken", "copies"),
    [
        ("http_500", None, 0),
        ("http_500", True, 1),
        ("http", None, 0),
        ("code_202", None, 1),
        ("code_202", False, 0),
        ("not_json", None, 1),
        ("not_json", False, 0),
    ],
)
def test_a_fault_says_whether_the_messages_are_taken(
    sandbox: Sandbox, name: str, taken: bool | None, copies: int
) -> None:
    sandbox.fault(name, taken=taken)
    post(sandbox)
    assert sandbox.copies(GUID) == copies


def test_a_fault_can_end_the_connection_otherwise(sandbox: Sandbox) -> None:
    sandbox.fault("half_status_line", ending="hang")
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            sandbox.url + "send/", json=[MESSAGE], auth=("sandbox", "sandbox"), timeout=0.3
        )
    sandbox.fault("cut_body", ending="reset")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="Connection reset by peer"):
        post(sandbox)


@pytest.mark.parametrize(
    ("name", "options", "expected", "headers"),
    [
        ("http_401", {}, (401, ""), {}),
        ("http_302", {"headers": {"Location": "/x"}}, (302, ""), {"Location": "/x"}),
        ("http_429", {"headers": {"Retry-After": "7"}}, (429, ""), {"Retry-After": "7"}),
        ("http", {"code": 599, "body": "no"}, (599, "no"), {"Content-Type": TEXT}),
        ("body", {"body": "[]", "code": 202}, (202, "[]"), {}),
        ("body", {"body": b"x", "content_type": "a/b"}, (200, "x"), {"Content-Type": "a/b"}),
        ("code_204", {}, (204, ""), {}),
    ],
)
def test_any_code_headers_and_body(
    sandbox: Sandbox,
    name: str,
    options: dict[str, Any],
    expected: tuple[int, str],
    headers: dict[str, str],
) -> None:
    sandbox.fault(name, **options)
    reply = request(sandbox)
    assert (reply.status_code, reply.text) == expected
    assert {key: reply.headers[key] for key in headers} == headers
    assert [(sent.fault, sent.code) for sent in sandbox.posts] == [(name, expected[0])]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("bad_date", {"dateTimeSent": "yesterday"}),
        ("no_date", {"dateTimeSent": None}),
        ("other_id", {"id": "f" * 24}),
        ("other_guid", {"guid": "00000000-0000-4000-8000-000000000000"}),
        ("string_status", {"status": "1"}),
        ("true_status", {"status": True}),
        ("extra_keys", {**MESSAGE, "price": 2.5}),
    ],
)
def test_faults_strike_status_replies_too(
    sandbox: Sandbox, name: str, changes: dict[str, Any]
) -> None:
    post(sandbox)
    (received,) = sandbox.messages
    good = request(sandbox, "status/", id=received.id).json()
    sandbox.fault(name, path="/status/")
    answer = {**good[0], **changes}
    expected = {key: value for key, value in answer.items() if value is not None}
    assert request(sandbox, "status/", id=received.id).json() == [expected]
    assert request(sandbox, "status/", id=received.id).json() == good


def test_an_unknown_fault_is_an_error_that_lists_all_faults(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="No fault is called 'gremlin'") as caught:
        sandbox.fault("gremlin")
    names = ", ".join(sorted([*FAULTS, *BROKEN_REPLIES]))
    assert str(caught.value).endswith(f"There are: {names}.")


def test_a_fault_of_ones_own_strikes_by_its_name() -> None:
    def maintenance(case: Case, *, minutes: int = 5) -> Reply:
        return json_reply({"messages": len(case.messages), "minutes": minutes}, 503)

    with Sandbox(faults={"maintenance": maintenance}) as sandbox:
        sandbox.fault("maintenance", minutes=10, taken=False)
        reply = request(sandbox)
        assert (reply.status_code, reply.json()) == (503, {"messages": 1, "minutes": 10})
        assert [exchange.fault for exchange in sandbox.posts] == ["maintenance"]
        assert sandbox.messages == []
        with pytest.raises(ValueError, match="gremlin") as caught:
            sandbox.fault("gremlin")
    names = ", ".join(sorted([*FAULTS, "maintenance"]))
    assert str(caught.value).endswith(f"There are: {names}.")


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("hang", {"times": 1, "rate": 0.5}, "times and rate exclude each other: name one of them."),
        ("hang", {"times": 0}, "times must be a whole number, 1 or more."),
        ("hang", {"times": True}, "times must be a whole number, 1 or more."),
        ("hang", {"times": "2"}, "times must be a whole number, 1 or more."),
        ("hang", {"rate": 1.1}, "rate must be a number between 0 and 1."),
        ("hang", {"rate": float("nan")}, "rate must be a number between 0 and 1."),
        ("hang", {"rate": "0.5"}, "rate must be a number between 0 and 1."),
        ("hang", {"path": "/"}, "path must be one of /send/, /status/."),
        ("hang", {"ending": "boom"}, "'boom' is not a valid Ending"),
        (
            "close_unread",
            {"taken": True},
            "Fault close_unread: messages that were not read cannot be taken.",
        ),
        ("http_999x", {}, "No fault is called 'http_999x'."),
        ("http", {"code": "abc"}, "Fault http: Unknown format code 'd' for object of type 'str'"),
        ("late", {"seconds": "soon"}, "Fault late: could not convert string to float: 'soon'"),
        ("status", {"worth": 5}, "Fault status: status() got an unexpected keyword argument"),
    ],
)
def test_a_wrong_option_is_an_error_at_once(
    sandbox: Sandbox, name: str, options: dict[str, Any], error: str
) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(error)):
        sandbox.fault(name, **options)
    assert sandbox.faults == []
