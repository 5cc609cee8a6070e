from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from django_mobilon_sms.sandbox import Exchange, Sandbox, gateway

GUID = "7802d99b-3917-81ac-e0b7-52d5d44e6cd3"
OTHER_GUID = "70be9f43-1cbd-42fc-977f-416b1561e07e"
AUTH = ("sandbox", "sandbox")
PROMPT = 30  # seconds: only a defect takes that long


def message(**changes: Any) -> dict[str, Any]:
    usual = {"guid": GUID, "text": "привет, мир!", "number": "89135290000", "source": "89234560000"}
    return {**usual, **changes}


def post(sandbox: Sandbox, json: Any, path: str = "send/", **options: Any) -> requests.Response:
    return requests.post(
        sandbox.url + path, **{"json": json, "auth": AUTH, "timeout": PROMPT, **options}
    )


def address(sandbox: Sandbox) -> tuple[str, int]:
    return "127.0.0.1", int(sandbox.url.rstrip("/").rpartition(":")[2])


def ask(sandbox: Sandbox, *ids: str) -> Any:
    return post(sandbox, [{"id": id} for id in ids], "status/").json()


def test_a_send_is_answered_as_on_the_vendors_page(sandbox: Sandbox) -> None:
    reply = post(sandbox, [message(), message(guid=OTHER_GUID, text="привет, мир 2!")])
    first, second = sandbox.messages
    assert (reply.status_code, reply.json()) == (
        200,
        [
            {"status": 0, "guid": GUID, "id": first.id},
            {"status": 0, "guid": OTHER_GUID, "id": second.id},
        ],
    )
    assert re.fullmatch("[0-9a-f]{24} [0-9a-f]{24}", f"{first.id} {second.id}")
    assert first.id != second.id


def test_requests_and_messages_are_recorded(sandbox: Sandbox) -> None:
    post(sandbox, [message()])
    (received,) = sandbox.messages
    assert (received.guid, received.text) == (GUID, "привет, мир!")
    assert (received.number, received.source) == ("89135290000", "89234560000")
    (exchange,) = sandbox.exchanges
    assert (exchange.method, exchange.path, exchange.code) == ("POST", "/send/", 200)
    assert exchange.fault == ""
    assert exchange.headers["content-type"] == "application/json"
    assert json.loads(exchange.body) == exchange.objects == [message()]
    assert exchange.received == (received,)


def test_only_requests_to_send_are_posts(sandbox: Sandbox) -> None:
    post(sandbox, [message()])
    post(sandbox, [{"id": "unknown"}], "status/")
    assert [exchange.path for exchange in sandbox.exchanges] == ["/send/", "/status/"]
    assert [exchange.path for exchange in sandbox.posts] == ["/send/"]


def test_a_repeated_guid_is_accepted_twice_under_two_ids(sandbox: Sandbox) -> None:
    post(sandbox, [message()])
    post(sandbox, [message()])
    assert (sandbox.copies(GUID), sandbox.copies(OTHER_GUID)) == (2, 0)
    assert len({received.id for received in sandbox.messages}) == 2


def test_no_repr_shows_a_text_a_number_or_a_credential() -> None:
    with Sandbox(password="пароль") as sandbox:
        post(sandbox, [message()], auth=("sandbox", "пароль".encode()))
        shown = repr((sandbox, sandbox.exchanges, sandbox.messages))
    assert GUID in shown
    assert not re.search("привет|8913529|8923456|пароль|Basic", shown)


def test_a_hundred_objects_are_accepted(sandbox: Sandbox) -> None:
    assert post(sandbox, [message(guid=f"g{place}") for place in range(100)]).status_code == 200
    assert [received.guid for received in sandbox.messages] == [f"g{place}" for place in range(100)]


def test_a_message_is_reported_as_sent_with_the_time(sandbox: Sandbox) -> None:
    post(sandbox, [message()])
    (received,) = sandbox.messages
    (report,) = ask(sandbox, received.id)
    sent_at = datetime.fromisoformat(report["dateTimeSent"].replace("Z", "+00:00"))
    assert report == {**report, "status": 1, "guid": GUID, "id": received.id}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", report["dateTimeSent"])
    assert abs(sent_at.timestamp() - received.at) < 0.001


def test_a_message_is_not_sent_before_its_time(sandbox: Sandbox) -> None:
    sandbox.sent_after = 3600
    post(sandbox, [message()])
    (received,) = sandbox.messages
    assert ask(sandbox, received.id) == [{"status": 0, "guid": GUID, "id": received.id}]
    sandbox.sent_after = 0
    assert ask(sandbox, received.id)[0]["status"] == 1


def test_an_unknown_id_is_left_out_of_the_answer(sandbox: Sandbox) -> None:
    post(sandbox, [message()])
    (received,) = sandbox.messages
    assert [report["id"] for report in ask(sandbox, "unknown", received.id)] == [received.id]


def test_a_status_can_be_set_for_an_id(sandbox: Sandbox) -> None:
    post(sandbox, [message()])
    (received,) = sandbox.messages
    sandbox.set_status(received.id, 2, "2017-02-22T16:57:24.705Z")
    sandbox.set_status("strange", 3, None)
    sandbox.set_status("other", 4, None, guid=OTHER_GUID)
    sandbox.set_status("dated", 1)
    *undated, dated = ask(sandbox, received.id, "strange", "other", "dated")
    date = "2017-02-22T16:57:24.705Z"
    assert undated == [
        {"status": 2, "guid": GUID, "dateTimeSent": date, "id": received.id},
        {"status": 3, "id": "strange"},
        {"status": 4, "guid": OTHER_GUID, "id": "other"},
    ]
    assert dated == {"status": 1, "dateTimeSent": dated["dateTimeSent"], "id": "dated"}


def test_fifty_requests_are_answered_at_once(sandbox: Sandbox) -> None:
    everybody = threading.Barrier(50)  # no request is answered before all fifty arrived

    def wait(exchange: Exchange) -> None:
        everybody.wait(PROMPT)

    sandbox.on_request = wait
    guids = [str(number) for number in range(50)]
    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda guid: post(sandbox, [message(guid=guid)]), guids))
    assert [reply.json()[0]["guid"] for reply in replies] == guids
    assert sorted(received.guid for received in sandbox.messages) == sorted(guids)


def test_a_connection_is_kept_for_the_next_request(sandbox: Sandbox) -> None:
    post(sandbox, [message()])
    connection = http.client.HTTPConnection(*address(sandbox), timeout=PROMPT)
    connection.connect()
    socket_used = connection.sock
    for _ in range(3):
        connection.request("GET", "/messages.json")
        assert json.loads(connection.getresponse().read())[0]["guid"] == GUID
        assert connection.sock is socket_used
    connection.close()


def test_a_slow_answer_comes_after_the_message_was_accepted(sandbox: Sandbox) -> None:
    sandbox.latency = 3600
    heard = threading.Event()
    sandbox.on_request = lambda exchange: heard.set()
    with pytest.raises(requests.ReadTimeout):
        post(sandbox, [message()], timeout=0.2)
    assert heard.wait(PROMPT)
    assert sandbox.copies(GUID) == 1


def test_on_request_is_called_before_the_answer(sandbox: Sandbox) -> None:
    heard: list[Any] = []
    sandbox.on_request = lambda exchange: heard.append((exchange.code, sandbox.copies(GUID)))
    post(sandbox, [message()])
    assert heard == [(200, 1)]


@pytest.mark.parametrize("fault", ["hang", "drip_headers", "endless", "late", "", None])
def test_a_stop_ends_every_connection_at_once(sandbox: Sandbox, fault: str | None) -> None:
    if fault is None:
        sandbox.latency = 3600
    elif fault:
        wait = {"late": "seconds", "drip_headers": "interval"}.get(fault)
        options: dict[str, Any] = {wait: 3600} if wait else {}
        sandbox.fault(fault, **options)
    heard = threading.Event()
    sandbox.on_request = lambda exchange: heard.set()
    before = set(threading.enumerate())
    with socket.create_connection(address(sandbox), PROMPT) as client:
        client.sendall(raw_request())
        assert heard.wait(PROMPT)
        stopping = threading.Thread(target=sandbox.stop)
        stopping.start()
        stopping.join(PROMPT)
        assert not stopping.is_alive()
        assert_it_ends(client)
    for thread in set(threading.enumerate()) - before:
        thread.join(PROMPT)
        assert not thread.is_alive()


def raw_request() -> bytes:
    body = json.dumps([message()]).encode()
    head = (
        "POST /send/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic c2FuZGJveDpzYW5kYm94\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def assert_it_ends(client: socket.socket) -> None:
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        pass  # also an end


def test_a_stopped_sandbox_refuses_connections_and_comes_back_where_it_was() -> None:
    sandbox = Sandbox().start()
    url = sandbox.url
    post(sandbox, [message()])
    sandbox.stop()
    sandbox.stop()
    with pytest.raises(requests.ConnectionError):
        post(sandbox, [message()])
    with sandbox:
        assert sandbox.url == url
        assert post(sandbox, [message()]).status_code == 200
    with pytest.raises(requests.ConnectionError):
        post(sandbox, [message()])
    assert sandbox.copies(GUID) == 2


def test_it_cannot_be_started_twice_nor_asked_for_its_url_too_early(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="runs already"):
        sandbox.start()
    with pytest.raises(RuntimeError, match="start it first"):
        _ = Sandbox().url


@pytest.mark.parametrize("end", [25, 80, -5])  # in two places of the head, in the body
def test_a_request_that_is_cut_off_is_not_recorded(
    sandbox: Sandbox, capfd: pytest.CaptureFixture[str], end: int
) -> None:
    with socket.create_connection(address(sandbox), PROMPT) as client:
        client.sendall(raw_request()[:end])
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    assert (sandbox.exchanges, capfd.readouterr().err) == ([], "")


def test_requests_and_messages_can_be_forgotten(sandbox: Sandbox) -> None:
    post(sandbox, [message()])
    (received,) = sandbox.messages
    sandbox.forget()
    assert (sandbox.exchanges, sandbox.messages, sandbox.copies(GUID)) == ([], [], 0)
    assert ask(sandbox, received.id) == []


def test_it_needs_only_the_standard_library() -> None:
    root = Path(gateway.__file__).parents[1]
    ran = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            "import django_mobilon_sms.sandbox",
        ],  # -S: no site-packages
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
