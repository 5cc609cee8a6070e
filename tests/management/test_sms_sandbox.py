from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
import requests
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_mobilon_sms.management.commands.sms_sandbox import sandbox_from

ROOT = Path(__file__).parents[2]
GUID = "7802d99b-3917-81ac-e0b7-52d5d44e6cd3"
AUTH = ("user", "pass")
PROMPT = 30  # seconds: what may take that long is not prompt on any machine


@contextmanager
def command(*options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `sms_sandbox` as a process of its own; give it and its URL, from its first line."""
    arguments = ["-m", "django", "sms_sandbox", "--settings", "tests.settings", "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, *arguments, *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    with process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            match = re.fullmatch(r"Sandbox gateway on (http://[\d.]+:\d+/)\n", first)
            assert match, (first, process.poll())
            yield process, match[1]
        finally:
            process.kill()


def send(url: str, auth: tuple[str, str] = AUTH, **changes: str) -> requests.Response:
    usual = {"guid": GUID, "text": "привет", "number": "89135290000", "source": "89234560000"}
    return requests.post(url + "send/", json=[{**usual, **changes}], auth=auth, timeout=PROMPT)


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str, str]:
    """Signal it; return its exit code and what it printed since its first line."""
    process.send_signal(number)
    out, err = process.communicate(timeout=PROMPT)
    return process.returncode, out, err


CREDENTIALS = ("--username", "user", "--password", "pass")


def test_it_prints_a_line_for_each_message_that_arrives() -> None:
    with command(*CREDENTIALS) as (process, url):
        send(url, text="первая\nстрока\x1b[31m 🙂")
        send(url, text="second", guid="other")
        code, out, err = stop(process)
    assert re.sub(r"^\d\d:\d\d:\d\d", "TIME", out, flags=re.MULTILINE) == (
        f"TIME {GUID} 89135290000 первая\\nстрока\\x1b[31m 🙂\nTIME other 89135290000 second\n"
    )
    assert (code, err) == (0, "")


def test_it_says_what_was_refused_or_met_a_fault() -> None:
    with command(*CREDENTIALS, "--fault", "close_after_read") as (process, url):
        send(url, ("user", "wrong"))
        with pytest.raises(requests.ConnectionError):
            send(url)
        code, out, err = stop(process)
    assert re.sub(r"^\d\d:\d\d:\d\d", "TIME", out, flags=re.MULTILINE) == (
        "TIME POST /send/ answered 401\n"
        f"TIME {GUID} 89135290000 привет\n"
        "TIME POST /send/ not answered (fault close_after_read)\n"
    )
    assert (code, err) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_though_a_request_hangs(number: int) -> None:
    with command(*CREDENTIALS, "--latency", "3600") as (process, url):
        port = int(url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), PROMPT) as client:
            client.sendall(b"POST /send/ HTTP/1.1\r\n")
            assert stop(process, number) == (0, "", "")


def test_it_goes_on_when_nobody_reads_its_lines_any_more() -> None:
    with command(*CREDENTIALS, PYTHONUNBUFFERED="") as (process, url):
        assert process.stdout is not None
        process.stdout.close()
        assert [send(url).status_code for _ in range(3)] == [200, 200, 200]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PROMPT) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_it_escapes_characters_that_the_terminal_cannot_show() -> None:
    with command(*CREDENTIALS, PYTHONIOENCODING="ascii") as (process, url):
        send(url)
        _, out, err = stop(process)
    assert (out.split(maxsplit=1)[1], err) == (
        f"{GUID} 89135290000 \\u043f\\u0440\\u0438\\u0432\\u0435\\u0442\n",
        "",
    )


def test_its_options_reach_the_sandbox() -> None:
    options = ("--sent-after", "3600", "--fault", "code_202:1", "--fault", "hang:0")
    with command(*CREDENTIALS, *options) as (_, url):
        reply = send(url)
        asked = [{"id": reply.json()[0]["id"]}]
        report = requests.post(url + "status/", json=asked, auth=AUTH, timeout=PROMPT)
    assert reply.status_code == 202
    assert report.json() == [{"status": 0, "guid": GUID, **asked[0]}]


def test_the_page_of_received_messages_is_open() -> None:
    with command(*CREDENTIALS) as (_, url):
        send(url)
        assert "привет" in requests.get(url, timeout=PROMPT).text


@pytest.mark.parametrize(
    ("given", "auth"),
    [(("user", "pass"), ("user", "pass")), (("", ""), ("sandbox", "sandbox"))],
)
def test_it_asks_for_the_credentials_of_the_project(
    given: tuple[str, str], auth: tuple[str, str]
) -> None:
    username, password = given
    options = {"host": "127.0.0.1", "port": 0, "latency": 0, "sent_after": 0, "fault": []}
    with (
        override_settings(MOBILON_SMS_USERNAME=username, MOBILON_SMS_PASSWORD=password),
        sandbox_from({**options, "username": None, "password": None}) as sandbox,
    ):
        assert send(sandbox.url, auth).status_code == 200
        assert send(sandbox.url, ("other", "other")).status_code == 401


def test_it_leaves_the_process_as_it_was() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    former = [signal.getsignal(number) for number in numbers]
    out = StringIO()

    def interrupt_once_it_listens() -> None:
        for _ in range(PROMPT * 100):
            if "\n" in out.getvalue():
                os.kill(os.getpid(), signal.SIGTERM)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=interrupt_once_it_listens)
    thread.start()
    call_command("sms_sandbox", port=0, stdout=out)
    thread.join()
    assert [signal.getsignal(number) for number in numbers] == former
    match = re.fullmatch(r"Sandbox gateway on (http://127\.0\.0\.1:\d+/)\n", out.getvalue())
    assert match
    with pytest.raises(requests.ConnectionError):
        send(match[1])


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("--port=-1", "Error: argument --port: must be between 0 and 65535"),
        ("--port=65536", "Error: argument --port: must be between 0 and 65535"),
        ("--username=a:b", "--username: basic authentication cannot carry a “:” in it."),
        ("--latency=-1", "Error: argument --latency: must be 0 or more"),
        ("--latency=nan", "Error: argument --latency: must be 0 or more"),
        ("--sent-after=inf", "Error: argument --sent-after: must be 0 or more"),
        ("--fault=gremlin", "--fault gremlin: No fault is called 'gremlin'. There are: "),
        ("--fault=hang:2", "--fault hang:2: rate must be a number between 0 and 1."),
        ("--fault=hang:x", "--fault hang:x: could not convert string to float: 'x'"),
    ],
)
def test_a_wrong_option_is_named(option: str, error: str) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("sms_sandbox", option)
    assert str(caught.value)[: len(error)] == error


@pytest.mark.parametrize("option", ["--port", "--latency", "--sent-after"])
def test_an_option_that_is_no_number_is_named(option: str) -> None:
    with pytest.raises(CommandError, match=f"argument {option}: invalid (port|seconds) value: 'x'"):
        call_command("sms_sandbox", option, "x")


def test_a_port_that_is_taken_is_named_with_the_setting_to_change() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    said = "--host, --port: not available .* and set MOBILON_SMS_BASE_URL to the same"
    with taken, pytest.raises(CommandError, match=said):
        call_command("sms_sandbox", port=taken.getsockname()[1])


def test_another_address_is_listened_on_with_a_warning() -> None:
    credentials = ("--username", AUTH[0], "--password", AUTH[1])
    with command("--host", "0.0.0.0", *credentials) as (process, url):
        assert process.stdout is not None
        warning = process.stdout.readline()
        assert warning == "Warning: whoever reaches this address can read the messages.\n"
        assert send(url).status_code == 200
        assert stop(process)[0] == 0
