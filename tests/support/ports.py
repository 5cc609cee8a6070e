"""Ports that no gateway of ours listens at: free ones, full ones, and one that speaks TLS."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest
import trustme

#: Longer than anything here takes on the slowest machine.
PATIENT = 60


def free_port() -> int:
    """A port where nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


def resolve_to(
    monkeypatch: pytest.MonkeyPatch, *ports: int, before: Callable[[], object] = lambda: None
) -> None:
    """Let every name lead to these ports of this host, after ``before`` was called.

    The one place for a patch: only a name server of the machine could be slow, or name addresses
    that are dead.
    """

    def getaddrinfo(*_arguments: object) -> list[tuple[object, ...]]:
        before()
        stream = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*stream, ("127.0.0.1", port)) for port in ports]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)


@contextmanager
def full_port() -> Iterator[int]:
    """A port where nobody takes the visitors, so that their queue is full and no other gets in."""
    with ExitStack() as open_, closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(8):
            visitor = open_.enter_context(socket.socket())
            visitor.setblocking(False)
            visitor.connect_ex(server.getsockname())
        yield server.getsockname()[1]


class Listener:
    """A server that hears one visitor and never answers."""

    def __init__(self) -> None:
        self.heard = b""
        self.has_left = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(PATIENT)
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(OSError):
            visitor, _ = self._server.accept()
            with visitor:
                visitor.settimeout(PATIENT)
                with suppress(ConnectionResetError):
                    while data := visitor.recv(65536):
                        self.heard += data
                self.has_left.set()

    def close(self) -> None:
        """Stop listening."""
        self._server.close()


def take(objects: list[dict[str, str]]) -> bytes:
    """The reply of a gateway that takes every message."""
    answers = [{"status": 0, "guid": each["guid"], "id": f"id-{each['guid']}"} for each in objects]
    body = json.dumps(answers).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
        len(body),
        body,
    )


@contextmanager
def https(
    certificate: trustme.LeafCert | None,
    *,
    answer: Callable[[list[dict[str, str]]], bytes] = take,
    unencrypted: bytes = b"",
    end: bytes = b"]",
) -> Iterator[tuple[str, list[bytes]]]:
    """Its address and what it heard.

    Without a certificate it closes in the handshake. ``unencrypted`` comes after the answer, and
    ``end`` is the end of a request.
    """
    heard: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        certificate.configure_cert(context)

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            if certificate is None:
                connection.recv(65536)
                return
            try:
                with context.wrap_socket(connection.dup(), server_side=True) as secure:
                    while not b"".join(heard).endswith(end):
                        heard.append(secure.recv(65536))
                    body = b"".join(heard).partition(b"\r\n\r\n")[2]
                    secure.sendall(answer(json.loads(body)))
                    connection.sendall(unencrypted)
            except OSError:  # the client left: that is what is tested
                return

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(PATIENT)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}/", heard
        thread.join()
