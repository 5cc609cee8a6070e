from __future__ import annotations

import socket
from typing import Any

import pytest
import requests

from django_mobilon_sms.sandbox import Sandbox

AUTH = ("sandbox", "sandbox")
PROMPT = 30  # seconds: only a defect takes that long
NOT_AN_ARRAY = "The body must be a JSON array."


def message(**changes: Any) -> dict[str, Any]:
    usual = {"guid": "g", "text": "привет", "number": "89135290000", "source": "89234560000"}
    return {**usual, "id": "x", **changes}


def post(sandbox: Sandbox, json: Any, path: str = "send/", **options: Any) -> requests.Response:
    return requests.post(
        sandbox.url + path, **{"json": json, "auth": AUTH, "timeout": PROMPT, **options}
    )


both_paths = pytest.mark.parametrize("path", ["send/", "status/"])


@both_paths
@pytest.mark.parametrize("auth", [None, ("sandbox", "wrong"), ("other", "sandbox")])
def test_a_stranger_is_refused(sandbox: Sandbox, path: str, auth: tuple[str, str] | None) -> None:
    reply = post(sandbox, [message()], path, auth=auth)
    assert (reply.status_code, reply.json()) == (
        401,
        {"error": "User name and password are needed."},
    )
    assert reply.headers["WWW-Authenticate"] == 'Basic realm="sandbox", charset="UTF-8"'
    assert ([exchange.code for exchange in sandbox.exchanges], sandbox.messages) == ([401], [])


@both_paths
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_refused(sandbox: Sandbox, path: str, kind: str) -> None:
    reply = post(sandbox, [message()], path, headers={"Content-Type": kind})
    error = "Content-Type must be application/json."
    assert (reply.status_code, reply.json()) == (415, {"error": error})


@both_paths
@pytest.mark.parametrize(
    "body", [b"", b"{", b"{}", b"null", b'"guid"', b"\xff[]", b"\xef\xbb\xbf[]", b"[" * 100_000]
)
def test_a_body_without_a_json_array_is_refused(sandbox: Sandbox, path: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    reply = post(sandbox, None, path, data=body, headers=headers)
    assert (reply.status_code, reply.json()) == (400, {"error": NOT_AN_ARRAY})
    assert [exchange.objects for exchange in sandbox.exchanges] == [None]


@both_paths
@pytest.mark.parametrize("count", [0, 101])
def test_no_objects_and_over_a_hundred_are_refused(sandbox: Sandbox, path: str, count: int) -> None:
    reply = post(sandbox, [message()] * count, path)
    error = f"The array must hold 1 to 100 objects, not {count}."
    assert (reply.status_code, reply.json()) == (400, {"error": error})


@both_paths
@pytest.mark.parametrize("value", [5, None, "guid", []])
def test_an_item_other_than_an_object_is_refused(
    sandbox: Sandbox, path: str, value: object
) -> None:
    reply = post(sandbox, [message(), value], path)
    assert (reply.status_code, reply.json()) == (400, {"error": "Object 1: it must be an object."})


@pytest.mark.parametrize("value", [None, "", 5, ["x"], True])
@pytest.mark.parametrize("name", ["guid", "text", "number", "source", "id"])
def test_a_field_that_is_not_a_string_is_refused_by_name(
    sandbox: Sandbox, name: str, value: object
) -> None:
    path = "status/" if name == "id" else "send/"
    reply = post(sandbox, [message(id="x"), message(**{"id": "x", name: value})], path)
    error = f"Object 1: {name} must be a string that is not empty."
    assert (reply.status_code, reply.json()) == (400, {"error": error})


@pytest.mark.parametrize("number", ["+79135290000", "8913529XXXX", "８9135290000", "89135290000\n"])
def test_a_number_with_anything_but_digits_is_refused(sandbox: Sandbox, number: str) -> None:
    reply = post(sandbox, [message(number=number)])
    error = "Object 0: number must be digits only."
    assert (reply.status_code, reply.json()) == (400, {"error": error})


def test_half_a_surrogate_pair_is_refused(sandbox: Sandbox) -> None:
    reply = post(sandbox, [message(text="\ud83d")])
    error = "Object 0: text must not hold half a surrogate pair."
    assert (reply.status_code, reply.json()) == (400, {"error": error})


@pytest.mark.parametrize(
    ("method", "path", "code", "allow"),
    [
        ("GET", "send/", 405, "POST"),
        ("HEAD", "send/", 405, "POST"),
        ("PUT", "status/", 405, "POST"),
        ("POST", "", 405, "GET"),
        ("GET", "faults/", 405, "POST, DELETE"),
        ("POST", "send", 404, None),
        ("POST", "send/?x=1", 404, None),
    ],
)
def test_other_methods_and_paths_are_refused(
    sandbox: Sandbox, method: str, path: str, code: int, allow: str | None
) -> None:
    reply = requests.request(method, sandbox.url + path, timeout=PROMPT)
    assert (reply.status_code, reply.headers.get("Allow")) == (code, allow)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Transfer-Encoding: chunked", 411),
        ("Content-Length: many", 400),
        ("Content-Length: 999999999999", 413),
    ],
)
def test_a_body_of_unknown_or_excessive_length_is_refused(
    sandbox: Sandbox, header: str, code: int
) -> None:
    port = int(sandbox.url.rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), PROMPT) as client:
        client.sendall(f"POST /send/ HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
        assert client.makefile("rb").readline().split()[1] == str(code).encode()


def test_credentials_are_utf_8_and_the_challenge_says_so() -> None:
    with Sandbox(username="логин", password="па:роль") as sandbox:
        stranger = post(sandbox, [message()], auth=("x", "y"))
        assert stranger.headers["WWW-Authenticate"] == 'Basic realm="sandbox", charset="UTF-8"'
        user = ("логин".encode(), "па:роль".encode())
        assert post(sandbox, [message()], auth=user).status_code == 200


@pytest.mark.parametrize("path", ["", "messages.json", "send/"])
@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:8030", "127.0.0.1.nip.io"])
def test_another_host_reads_nothing(sandbox: Sandbox, path: str, host: str) -> None:
    """A web page whose name was pointed at this machine (DNS rebinding) sends its own name."""
    post(sandbox, [message()])
    headers = {"Host": host}
    reply = requests.request(
        "POST" if path == "send/" else "GET",
        sandbox.url + path,
        json=[message()] if path == "send/" else None,
        auth=AUTH,
        headers=headers,
        timeout=PROMPT,
    )
    assert reply.status_code == 421
    assert "привет" not in reply.text
    assert len(sandbox.messages) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1"])
def test_this_machine_is_answered_by_its_names(sandbox: Sandbox, host: str) -> None:
    reply = requests.get(sandbox.url, headers={"Host": host}, timeout=PROMPT)
    assert reply.status_code == 200


def test_host_that_it_listens_on_is_answered() -> None:
    with Sandbox(host="127.0.0.2") as sandbox:
        assert requests.get(sandbox.url, timeout=PROMPT).status_code == 200
        port = sandbox.url.split(":")[-1]
        assert requests.get(f"http://127.0.0.2:{port}", timeout=PROMPT).status_code == 200
        reply = requests.get(sandbox.url, headers={"Host": "127.0.0.3"}, timeout=PROMPT)
        assert reply.status_code == 421
