from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from django_mobilon_sms.sandbox import Sandbox
from django_mobilon_sms.sandbox.broken_replies import FAULTS
from tests.support.broken_replies import BROKEN_REPLIES

GUIDS = ("7802d99b-3917-81ac-e0b7-52d5d44e6cd3", "70be9f43-1cbd-42fc-977f-416b1561e07e")
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
PROMPT = 30  # seconds: only a defect takes that long
LONG = 3600  # seconds: longer than any test
ECHO = {"text": "привет", "number": "89135290000", "source": "89234560000"}

Answers = list[dict[str, Any]]


def messages() -> Answers:
    return [{"guid": guid, **ECHO} for guid in GUIDS]


def post(sandbox: Sandbox) -> requests.Response:
    auth = ("sandbox", "sandbox")
    return requests.post(sandbox.url + "send/", json=messages(), auth=auth, timeout=PROMPT)


def right(sandbox: Sandbox) -> Answers:
    return [
        {"status": 0, "guid": received.guid, "id": received.id} for received in sandbox.messages
    ]


def each(**changes: object) -> Callable[[Answers], object]:
    return lambda right: [{**answer, **changes} for answer in right]


def lacking(key: str) -> Callable[[Answers], object]:
    return lambda right: [{name: it[name] for name in it if name != key} for it in right]


# The JSON that a client reads, from the right objects (of two messages).
OBJECTS: dict[str, Callable[[Answers], object]] = {
    "code": lambda right: right,
    "early_hints": lambda right: right,
    "gzip_bomb": lambda right: right,
    "null": lambda right: None,
    "object": lambda right: right[0],
    "nested": lambda right: [right],
    "shuffled": lambda right: [right[1], right[0]],
    "partial": lambda right: [right[0]],
    "doubled": lambda right: [right[0], right[0], right[1], right[1]],
    "contradictory": lambda right: twice(right, status=99),
    "same_id": lambda right: [right[0], {**right[1], "id": right[0]["id"]}],
    "changed": lambda right: right,
    "extra_keys": each(**ECHO, price=2.5),
    "no_id": lacking("id"),
    "null_id": each(id=None),
    "int_id": each(id=58),
    "long_id": each(id="5" * 10_000),
    "other_id": each(id="f" * 24),
    "upper_guid": lambda right: [{**answer, "guid": answer["guid"].upper()} for answer in right],
    "other_guid": each(guid="00000000-0000-4000-8000-000000000000"),
    "status": each(status=5),
    "string_status": each(status="0"),
    "float_status": each(status=0.0),
    "true_status": each(status=True),
    "false_status": each(status=False),
    "bad_date": each(dateTimeSent="yesterday"),
    "no_date": lambda right: right,
}


def body(right: Answers) -> bytes:
    return json.dumps(right).encode()


# The body that a client reads under code 200 (500 for http), for faults in its bytes.
BODIES: dict[str, Callable[[Answers], bytes]] = {
    "http": lambda right: b"",
    "body": lambda right: b"",
    "not_json": lambda right: b"OK",
    "html": lambda right: b"<!DOCTYPE html><title>502 Bad Gateway</title>",
    "empty": lambda right: b"",
    "bom": lambda right: b"\xef\xbb\xbf" + body(right),
    "deep": lambda right: b"[" * 100_000 + b"]" * 100_000,
    "huge_int": lambda right: body(right).replace(b" 0", b" " + b"9" * 5000),
    "nan": lambda right: body(right).replace(b" 0", b" NaN"),
    "duplicate_keys": lambda right: body(right).replace(b'"status"', b'"status": 99, "status"'),
    "five_megabytes": lambda right: body(right) + b" " * (5 * 1024 * 1024),
    "charset": lambda right: body(right).replace(b"}", ', "comment": "принято"}'.encode("cp1251")),
}


def head(right: Answers) -> bytes:
    return JSON_HEAD + b"Content-Length: %d\r\n\r\n" % len(body(right))


def whole(right: Answers) -> bytes:
    return head(right) + body(right)


def half(right: Answers) -> bytes:
    return body(right)[: len(body(right)) // 2]


def with_header(line: bytes) -> Callable[[Answers], bytes]:
    return lambda right: whole(right).replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")


def one_chunk(size: bytes) -> Callable[[Answers], bytes]:
    start = JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n"
    return lambda right: start + body(right)[:20] + b"\r\n"


# The bytes before the connection is closed, or falls silent.
CLOSED: dict[str, Callable[[Answers], bytes]] = {
    "close_after_read": lambda right: b"",
    "not_http": lambda right: b"220 smtp.example ESMTP\r\n",
    "half_status_line": lambda right: b"HTTP/1.1 2",
    "half_header": lambda right: b"HTTP/1.1 200 OK\r\nContent-Ty",
    "long_header": with_header(b"X-Long: " + b"x" * 70_000),
    "many_headers": with_header(b"\r\n".join(b"X-%d: x" % number for number in range(200))),
    "cut_body": lambda right: head(right) + half(right),
    "cut_without_length": lambda right: JSON_HEAD + b"Connection: close\r\n\r\n" + half(right),
    "cut_chunked": one_chunk(b"14"),
    "bad_chunk": one_chunk(b"no number"),
    "bad_gzip": lambda right: (
        JSON_HEAD + b"Content-Length: 9\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8bno gzip"
    ),
}
RESET = ("reset_unread", "reset_after_read")
SILENT: dict[str, tuple[dict[str, Any], Callable[[Answers], bytes]]] = {
    "hang": ({}, lambda right: b""),
    "late": ({"seconds": LONG}, lambda right: b""),
    "drip_headers": ({"interval": LONG}, lambda right: b"H"),
    "drip_body": ({"interval": LONG}, head),
}

# Faults with a test of their own, and its name.
WITH_OWN_TEST = {
    "close_unread": "test_close_unread_ends_without_a_byte",
    "strangers": "test_strangers_add_an_object_that_was_not_asked_for",
    "endless": "test_endless_goes_on_until_the_client_leaves",
}


def test_every_fault_has_a_test() -> None:
    tested = [*OBJECTS, *BODIES, *CLOSED, *RESET, *SILENT, *WITH_OWN_TEST]
    assert sorted(tested) == sorted([*FAULTS, *BROKEN_REPLIES])
    assert [name for name in WITH_OWN_TEST.values() if name not in globals()] == []


@pytest.mark.parametrize("name", OBJECTS)
def test_a_fault_in_the_objects(sandbox: Sandbox, name: str) -> None:
    sandbox.fault(name)
    reply = post(sandbox)
    assert json.dumps(reply.json()) == json.dumps(OBJECTS[name](right(sandbox)))
    assert reply.status_code == (201 if name == "code" else 200)
    assert [sandbox.copies(guid) for guid in GUIDS] == [1, 1]


@pytest.mark.parametrize("name", BODIES)
def test_a_fault_in_the_body(sandbox: Sandbox, name: str) -> None:
    sandbox.fault(name, taken=True)
    reply = post(sandbox)
    assert reply.content == BODIES[name](right(sandbox))
    assert reply.status_code == (500 if name == "http" else 200)
    assert [sandbox.copies(guid) for guid in GUIDS] == [1, 1]


@pytest.mark.parametrize("name", CLOSED)
def test_a_fault_that_closes(sandbox: Sandbox, name: str) -> None:
    sandbox.fault(name)
    assert talk(sandbox) == (CLOSED[name](right(sandbox)), "closed")
    assert [sandbox.copies(guid) for guid in GUIDS] == [1, 1]


@pytest.mark.parametrize("name", RESET)
def test_a_fault_that_resets(sandbox: Sandbox, name: str) -> None:
    sandbox.fault(name)
    assert talk(sandbox) == (b"", "reset")
    assert [sandbox.copies(guid) for guid in GUIDS] == ([0, 0] if "unread" in name else [1, 1])


@pytest.mark.parametrize("name", SILENT)
def test_a_fault_that_falls_silent(sandbox: Sandbox, name: str) -> None:
    arrived = threading.Event()
    sandbox.on_request = lambda exchange: arrived.set()
    options, expected = SILENT[name]
    sandbox.fault(name, **options)
    with connect(sandbox) as client:
        assert arrived.wait(PROMPT)
        start = expected(right(sandbox))
        reader = client.makefile("rb")
        assert reader.read(len(start)) == start
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            reader.read(1)
    assert [sandbox.copies(guid) for guid in GUIDS] == [1, 1]


def talk(sandbox: Sandbox) -> tuple[bytes, str]:
    """Post both messages; return the bytes received and the end of the connection."""
    heard = b""
    with connect(sandbox) as client:
        try:
            while piece := client.recv(65536):
                heard += piece
        except ConnectionResetError:
            return heard, "reset"
    return heard, "closed"


def connect(sandbox: Sandbox) -> socket.socket:
    posted = json.dumps(messages()).encode()
    head = (
        "POST /send/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic c2FuZGJveDpzYW5kYm94\r\n"
        "Content-Type: application/json\r\nConnection: close\r\n"
        f"Content-Length: {len(posted)}\r\n\r\n"
    )
    port = int(sandbox.url.rstrip("/").rpartition(":")[2])
    client = socket.create_connection(("127.0.0.1", port), PROMPT)
    client.sendall(head.encode() + posted)
    return client


def test_close_unread_ends_without_a_byte(sandbox: Sandbox) -> None:
    sandbox.fault("close_unread")
    heard, ended = talk(sandbox)
    assert heard == b""
    assert ended in ("closed", "reset")  # the kernel decides, because bytes were unread
    assert sandbox.messages == []
    assert [(exchange.body, exchange.code) for exchange in sandbox.posts] == [(b"", None)]


def test_strangers_add_an_object_that_was_not_asked_for(sandbox: Sandbox) -> None:
    sandbox.fault("strangers")
    *answers, stranger = post(sandbox).json()
    assert answers == right(sandbox)
    assert sorted(stranger) == ["guid", "id", "status"]
    assert stranger["guid"] not in GUIDS
    assert len(stranger["id"]) == 24


def test_endless_goes_on_until_the_client_leaves(sandbox: Sandbox) -> None:
    sandbox.fault("endless")
    with connect(sandbox) as client:
        heard = client.makefile("rb").read(2 * 1024 * 1024)
    assert heard == (JSON_HEAD + b"Connection: close\r\n\r\n[").ljust(2 * 1024 * 1024)


@pytest.mark.parametrize("name", ["drip_headers", "drip_body"])
def test_a_dripping_reply_arrives_whole_in_the_end(sandbox: Sandbox, name: str) -> None:
    sandbox.fault(name, interval=0.0001)
    assert talk(sandbox) == (whole(right(sandbox)), "closed")


OPTIONS: list[tuple[str, dict[str, Any], Callable[[Answers], object]]] = [
    ("partial", {"keep": 0}, lambda right: []),
    ("contradictory", {"changes": {"id": "x"}}, lambda right: twice(right, id="x")),
    ("upper_guid", {"dashes": False}, lambda right: [bare(answer) for answer in right]),
    ("status", {"value": None}, each(status=None)),
    ("bad_date", {"value": 5}, each(dateTimeSent=5)),
    (
        "changed",
        {"changes": {"status": 5}, "at": 1},
        lambda right: [right[0], {**right[1], "status": 5}],
    ),
    ("changed", {"without": ["id"]}, lacking("id")),
    ("early_hints", {"count": 50}, lambda right: right),
]


def twice(right: Answers, **changes: object) -> Answers:
    pairs = [(answer, {**answer, **changes}) for answer in right]
    return [answer for pair in pairs for answer in pair]


def bare(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "guid": answer["guid"].upper().replace("-", "")}


@pytest.mark.parametrize(("name", "options", "expected"), OPTIONS)
def test_options_of_faults_in_the_objects(
    sandbox: Sandbox, name: str, options: dict[str, Any], expected: Callable[[Answers], object]
) -> None:
    sandbox.fault(name, **options)
    assert post(sandbox).json() == expected(right(sandbox))
