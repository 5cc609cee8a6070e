"""A consumer of webhooks on a real port, which verifies by the library and answers as told."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from standardwebhooks.webhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"a secret only for the tests").decode()


class Heard(NamedTuple):
    """A request whose signature was right."""

    id: str
    type: str
    data: dict[str, Any]
    headers: dict[str, str]


class Server(ThreadingHTTPServer):
    """A server that takes as many connections at once as a worker makes."""

    daemon_threads = True
    request_queue_size = 64  # the default of 5 makes a sixth wait for a second


class Receiver:
    """Hears events; ``answer`` gives the HTTP code for each, and may wait before it does."""

    def __init__(self, answer: Callable[[Heard], int] = lambda heard: 204) -> None:
        self.heard: list[Heard] = []  # in the order of their answers
        self.codes: list[int] = []
        self.bodies: list[bytes] = []
        self.answer = answer
        self.headers: dict[str, str] = {}  # to send
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def taken(self) -> list[str]:
        """The ids of the events that were answered with 2xx, in order."""
        return [heard.id for heard, code in zip(self.heard, self.codes) if 200 <= code < 300]

    def of(self, guid: Any) -> list[str]:
        """The statuses of a message that were taken, in order."""
        both = zip(self.heard, self.codes)
        return [h.data["status"] for h, code in both if code < 300 and h.data["guid"] == str(guid)]

    def of_all(self) -> list[str]:
        """The statuses that were taken, in order."""
        return [h.data["status"] for h, code in zip(self.heard, self.codes) if code < 300]

    @property
    def begun(self) -> int:
        """The number of requests that wait for their answers."""
        return self._at_once

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def hear(self, headers: dict[str, str], body: bytes) -> int:
        """Verify, ask for the answer, and keep both."""
        payload = Webhook(SECRET).verify(body, headers)
        heard = Heard(headers["webhook-id"], payload["type"], payload["data"], headers)
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        code = self.answer(heard)
        with self._lock:
            self._at_once -= 1
            self.bodies.append(body)
            self.heard.append(heard)
            self.codes.append(code)
        return code

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver.hear(headers, body))
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        return Handler


def webhooks(*receivers: Receiver, **values: Any) -> dict[str, Any]:
    """The setting for these receivers, named ``shop``, ``shop2`` and so on."""
    names = ["shop", *(f"shop{number}" for number in range(2, 9))]
    return {name: {"URL": r.url, "SECRET": SECRET, **values} for name, r in zip(names, receivers)}
