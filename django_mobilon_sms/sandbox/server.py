"""A threaded HTTP/1.1 server on loopback that can also send broken replies."""

from __future__ import annotations

import io
import json
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from enum import Enum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

MAX_BODY = 64 * 1024 * 1024  # bytes
JSON_TYPE = "application/json; charset=utf-8"


class Ending(Enum):
    """State of the connection after a reply."""

    KEEP = "keep"  # open for the next request, if the client wants that
    CLOSE = "close"  # closed in order (FIN)
    RESET = "reset"  # aborted (RST)
    HANG = "hang"  # open and silent until the client leaves or the server stops


@dataclass(frozen=True)
class Reply:
    """Raw pieces of a reply, sent after `delay` seconds and `interval` seconds apart.

    `code` is for the record; None if the client gets no status line. With `unread`, the request's
    body is not read first.
    """

    code: int | None
    pieces: Iterable[bytes] = ()
    delay: float = 0.0
    interval: float = 0.0
    ending: Ending = Ending.KEEP
    unread: bool = False


@dataclass(frozen=True)
class Request:
    """A request whose head was received; `read` returns its body and may be called once."""

    method: str
    path: str
    headers: Message
    read: Callable[[], bytes]


def head(code: int, headers: Mapping[str, str]) -> bytes:
    """Return a status line and headers, with the empty line that ends them."""
    phrase = HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else "Unknown"
    lines = [f"HTTP/1.1 {code:d} {phrase}", *(f"{name}: {headers[name]}" for name in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def http_reply(
    code: int, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> Reply:
    """Return a well-formed reply with its length; `headers` override the usual ones."""
    usual = {"Content-Type": content_type, "Content-Length": str(len(body))}
    return Reply(code, [head(code, {**usual, **(headers or {})}) + body])


def json_bytes(value: object) -> bytes:
    """Return `value` as JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode()


def json_reply(value: object, code: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return `value` as a JSON reply."""
    return http_reply(code, json_bytes(value), JSON_TYPE, headers)


class Server(socketserver.ThreadingTCPServer):
    """Listens on an address, with a thread per connection; `answer` replies to a request."""

    allow_reuse_address = True  # so that a restarted sandbox can listen on the same port
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, host: str, port: int, answer: Callable[[Request], Reply]) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__((host, port), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and end every connection, even a waiting one, within about a second."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            left = dict(self._open)
        for connection in left:
            with suppress(OSError):  # already closed
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 1.0
        for thread in left.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._lock:
            self._open[request] = thread
        thread.start()

    def close_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that leaves is not our error
            super().handle_error(request, client_address)


class _Lines(io.BufferedReader):
    """Remembers the last line read, to tell a complete head from one that was cut off."""

    last = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        self.last = super().readline(size)
        return self.last


class Handler(BaseHTTPRequestHandler):
    """Reads the requests of one connection and sends their replies."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.rfile: _Lines = _Lines(self.rfile.detach())

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if not self.rfile.last:  # because the standard library accepts a head that was cut off
            raise ConnectionAbortedError("The client left in the middle of its request.")
        return parsed

    def serve(self) -> None:
        request = Request(self.command, self.path, self.headers, self._read)
        self._deliver(self._framing_refusal() or self.server.answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing, because a line in a test's or a command's output would only disturb."""

    def _framing_refusal(self) -> Reply | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            return _refused_unread(411)
        if not (length.isascii() and length.isdigit()):
            return _refused_unread(400)
        return _refused_unread(413) if int(length) > MAX_BODY else None

    def _read(self) -> bytes:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionAbortedError("The client left in the middle of its request.")
        return body

    def _deliver(self, reply: Reply) -> None:
        if reply.ending is not Ending.KEEP or self.command == "HEAD":
            self.close_connection = True
        if self.server.stopping.wait(reply.delay):
            return
        for number, piece in enumerate(reply.pieces):
            if number and self.server.stopping.wait(reply.interval):
                return
            self.connection.sendall(piece)
        if reply.ending is Ending.HANG:
            while self.connection.recv(65536):  # until the client leaves
                pass
        if reply.ending is Ending.RESET:
            self._reset()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())  # directly, because socketserver sends a FIN first


def _refused_unread(code: int) -> Reply:
    headers = {"Content-Length": "0", "Connection": "close"}
    return Reply(code, [head(code, headers)], ending=Ending.CLOSE, unread=True)
