"""Ports that no gateway of ours listens at: free ones, full ones, and one that speaks TLS."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import trustme

#: Longer than anything here takes on the slowest machine.
PATIENT = 60


def free_port() -> int:
    """A port where nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


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
) -> Iterator[tuple[str, list[bytes]]]:
    """Its address and what it heard.

    Without a certificate it closes in the handshake. ``unencrypted`` comes after the answer.
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
                    while not b"".join(heard).endswith(b"]"):
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
