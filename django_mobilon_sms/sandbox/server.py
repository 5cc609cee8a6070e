"""The sandbox's wire: a threaded HTTP/1.1 server on loopback that sends broken replies too."""

from __future__ import annotations

import io
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

MAX_BODY = 64 * 1024 * 1024


JSON_TYPE = "application/json; charset=utf-8"


class Ending(Enum):
    """What becomes of the connection after a reply."""

    KEEP = "keep"  # open for the next request, where the client wants that
    CLOSE = "close"  # closed in order (FIN)
    RESET = "reset"  # thrown away (RST)
    HANG = "hang"  # open and silent until the client leaves or the server stops


@dataclass(frozen=True)
class Reply:
    """What goes over the wire: raw pieces, after `delay` seconds, `interval` seconds apart."""

    code: int | None
    pieces: Iterable[bytes] = ()
    delay: float = 0.0
    interval: float = 0.0
    ending: Ending = Ending.KEEP


@dataclass(frozen=True)
class Request:
    """A request whose head has been heard; `read` reads its whole body, once."""

    method: str
    path: str
    headers: Message
    read: Callable[[], bytes]


def head(code: int, headers: Mapping[str, str]) -> bytes:
    """Return a status line and header lines, with the empty line after them."""
    phrase = HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else "Unknown"
    lines = [f"HTTP/1.1 {code:d} {phrase}", *(f"{name}: {headers[name]}" for name in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def http_reply(
    code: int, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> Reply:
    """Return a well-formed reply with its length; `headers` come on top and replace ours."""
    ours = {"Content-Type": content_type, "Content-Length": str(len(body))}
    return Reply(code, [head(code, {**ours, **(headers or {})}) + body])


class Server(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1, a thread for each connection; `answer` says what a request gets."""

    allow_reuse_address = True  # a sandbox that comes back listens where it listened
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port: int, answer: Callable[[Request], Reply]) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and end every connection, whatever it waits for, within about a second."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            left = dict(self._open)
        for connection in left:
            _wake(connection)
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
        if not isinstance(sys.exc_info()[1], OSError):  # a client that leaves is no error of ours
            super().handle_error(request, client_address)


def _wake(connection: socket.socket) -> None:
    with suppress(OSError):  # it is gone already
        connection.shutdown(socket.SHUT_RDWR)


class _Lines(io.BufferedReader):
    """Remembers the last line, to tell a head that ended from one that broke off."""

    last = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        self.last = super().readline(size)
        return self.last


class Handler(BaseHTTPRequestHandler):
    """Hears requests on one connection and delivers their replies."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.rfile: _Lines = _Lines(self.rfile.detach())

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if not self.rfile.last:  # the standard library takes a broken head for a whole one
            raise ConnectionAbortedError("The client left in the middle of its request.")
        return parsed

    def serve(self) -> None:
        self._deliver(self._framing_refusal() or self.server.answer(self._request()))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a line in the middle of a test's or a command's output helps nobody."""

    def _framing_refusal(self) -> Reply | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            return _refused_unread(411)
        if not (length.isascii() and length.isdigit()):
            return _refused_unread(400)
        return _refused_unread(413) if int(length) > MAX_BODY else None

    def _request(self) -> Request:
        return Request(self.command, self.path, self.headers, self._read)

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
            self._wait_until_the_client_leaves()
        if reply.ending is Ending.RESET:
            self._reset()

    def _wait_until_the_client_leaves(self) -> None:
        while self.connection.recv(65536):
            pass

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())  # at once: the usual way says FIN first


def _refused_unread(code: int) -> Reply:
    return Reply(
        code, [head(code, {"Content-Length": "0", "Connection": "close"})], ending=Ending.CLOSE
    )
