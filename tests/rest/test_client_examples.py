"""The clients of docs/howto/rest-client.rst, run as they are, through a connection that fails."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.cache import cache

from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.models import SmsEvent, SmsMessage
from django_mobilon_sms.rest import events as rest_events
from tests.support.documents import DOCS, blocks
from tests.support.rest_door import ALL, with_password
from tests.support.workers import PATIENCE, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

EXECUTED = ["docs/howto/rest-client.rst"]
PAGE = DOCS / "howto/rest-client.rst"
PROGRAMS = {"sms_client.py": sys.executable, "sms_client.mjs": shutil.which("node")}


class Trouble(ThreadingHTTPServer):
    """A way to the API on which the first request is refused and the second answer is lost."""

    daemon_threads = True

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.url, self.heard = url, list[tuple[float, str, int]]()


class Passing(BaseHTTPRequestHandler):
    """Passes requests on, except for the trouble."""

    server: Trouble

    def do_GET(self) -> None:
        self.pass_on()

    def do_POST(self) -> None:
        self.pass_on()

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        number = len(self.server.heard)
        if number == 0:
            self.server.heard.append((time.monotonic(), self.path, 503))
            self.send_response(503)
            self.send_header("Retry-After", "2")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        named = ("Authorization", "Content-Type", "Idempotency-Key")
        headers = {name: self.headers[name] for name in named if name in self.headers}
        answer = requests.request(
            self.command, self.server.url + self.path, data=body, headers=headers, timeout=PATIENCE
        )
        self.server.heard.append((time.monotonic(), self.path, answer.status_code))
        if number == 1:
            self.close_connection = True
            return
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def trouble(live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trouble]:
    settings.MOBILON_SMS_EVENTS = "30d"
    monkeypatch.setattr(rest_events, "STEP", 0.05)
    user = with_password(*ALL)
    with Trouble(live_server.url) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
    # No request waits on, although its client is gone.
    cache.set(f"mobilon_sms_events_{user.pk}", "nobody")
    wait_until(lambda: not [t for t in threading.enumerate() if "process_request" in t.name])


def environment(url: str) -> dict[str, str]:
    """The variables that the page's command sets, for this server."""
    [command] = [block.text for block in blocks(PAGE) if block.language == "sh"]
    words = shlex.split(command)
    assert words[0] == "export"
    values = dict(word.split("=") for word in words[1:])
    assert values["SMS_API"] == "https://shop.example/sms/"
    return values | {"SMS_API": f"{url}/sms/"}


@contextmanager
def client(name: str, folder: Path, trouble: Trouble) -> Iterator[list[str]]:
    """The client while the block runs; the lines that it prints."""
    [text] = [block.text for block in blocks(PAGE) if block.caption == name]
    (folder / name).write_text(text, encoding="utf-8")
    url = f"http://127.0.0.1:{trouble.server_port}"
    with subprocess.Popen(
        [str(PROGRAMS[name]), name],
        cwd=folder,
        env={**os.environ, **environment(url)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        lines: list[str] = []
        assert process.stdout
        reader = threading.Thread(target=lines.extend, args=(process.stdout,))
        reader.start()
        try:
            yield lines
        finally:
            process.send_signal(signal.SIGKILL)
            reader.join()


def printed() -> list[str]:
    """The lines for all events that there are."""
    events = SmsEvent.objects.order_by("pk")
    return [f"{event.pk} {event.type} {event.guid}\n" for event in events]


@pytest.mark.parametrize("name", PROGRAMS)
def test_client_writes_once_and_follows_every_event(name, trouble, tmp_path):
    if PROGRAMS[name] is None:
        pytest.skip("there is no Node.js")
    cursor = tmp_path / "cursor.txt"
    with client(name, tmp_path, trouble) as lines:
        wait_until(lambda: cursor.exists() and len(lines) == 1)
        SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
        before = cursor.read_text()
        wait_until(lambda: len(lines) == 2 and cursor.read_text() not in (before, ""))
    refused, lost, found = trouble.heard[:3]
    assert [status for _time, _path, status in (refused, lost, found)] == [503, 201, 200]
    assert lost[0] - refused[0] >= 2
    SmsMessage.objects.all().resend(by=None)
    with client(name, tmp_path, trouble) as later:
        wait_until(lambda: later)
    assert [*lines, *later] == printed()
    assert SmsMessage.objects.count() == 1
