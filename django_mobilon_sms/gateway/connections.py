"""Connections that obey a call: they ask it before they write, and keep its one deadline."""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import allowed_gai_family

from ..exceptions import NeverLeft
from .calls import Call

#: Most connections kept open: as many as requests can be under way at once.
MAX_CONNECTIONS = 64
#: Most interim replies (1xx) before the one that counts.
MAX_INTERIM_REPLIES = 100


class Connections(HTTPAdapter):
    """An adapter that sends each request once, as its call allows.

    A ``requests.Session`` would follow redirects, and read proxies and ``.netrc`` from the
    environment, which could expose the credentials.
    """

    def __init__(self, *, most: int = MAX_CONNECTIONS) -> None:
        """Make room for so many connections; a pool is filled with as many placeholders."""
        self._calls = threading.local()  # the call of each thread, which makes one at a time
        super().__init__(max_retries=0, pool_maxsize=most)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools as always, but of connections that obey a call."""
        super().init_poolmanager(*args, **kwargs)
        kinds = {"http": (HTTPConnectionPool, _Http), "https": (HTTPSConnectionPool, _Https)}
        self.poolmanager.pool_classes_by_scheme = {
            scheme: partial(self._pool, *classes) for scheme, classes in kinds.items()
        }

    def post(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        """Send the request, and return the reply with its body unread."""
        self._calls.current = call
        return self.send(request, timeout=call.seconds_left(), stream=True)

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Raise ``NeverLeft`` where the bundle of the authorities is gone."""
        try:
            super().cert_verify(*args, **kwargs)  # type: ignore[no-untyped-call]
        except OSError:
            raise NeverLeft("certificate") from None

    def _pool(
        self,
        pool_class: Callable[..., HTTPConnectionPool],
        connection_class: type[_Http],
        *args: Any,
        **kwargs: Any,
    ) -> HTTPConnectionPool:
        pool = pool_class(*args, **kwargs)
        connect: Any = partial(connection_class, call=lambda: self._calls.current)
        pool.ConnectionCls = connect
        return pool


class _Http(HTTPConnection):
    """A connection that obeys the call of its thread."""

    def __init__(self, *args: Any, call: Callable[[], Call], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._call = call
        self._is_asked = False  # whether the call of this request has been asked

    def _new_conn(self) -> socket.socket:
        """Return a connection to the first address that answers in its share of the time."""
        call = self._call()
        call.begin()
        addresses = self._addresses()
        for tried, address in enumerate(addresses):
            seconds = call.seconds_to_connect(len(addresses) - tried)
            with suppress(OSError):
                return self._connected(address, call, seconds)
        raise NeverLeft("connection")

    def _connected(self, found: tuple[Any, ...], call: Call, seconds: float) -> socket.socket:
        family, kind, protocol, _name, address = found
        connection = socket.socket(family, kind, protocol)
        try:
            for option in self.socket_options or ():
                connection.setsockopt(*option)
            call.watch(connection)
            connection.settimeout(seconds)
            connection.connect(address)
            connection.settimeout(call.seconds_to_connect())  # for the handshake of TLS
        except BaseException:
            connection.close()
            raise
        return connection

    def _addresses(self) -> list[tuple[Any, ...]]:
        try:
            return list(
                socket.getaddrinfo(
                    self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM
                )
            )
        except UnicodeError:
            raise NeverLeft("request") from None
        except OSError:
            raise NeverLeft("connection") from None

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        """Begin a request, for which the call is asked anew."""
        self._call().begin()
        self._is_asked = False
        super().putrequest(*args, **kwargs)

    def send(self, data: Any) -> None:
        """Write data of a request; the first of them once the call allows it."""
        if self.sock is None:
            self.connect()
        call = self._call()
        if not self._is_asked:
            call.write(self.sock)
            self._is_asked = True
        self.sock.settimeout(call.seconds_left())
        super().send(data)

    def response_class(self, sock: socket.socket, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        """Return the reply of this socket, which is read within the call's deadline."""
        return _Reply(_TimedSocket(sock, self._call()), **options)  # type: ignore[arg-type]


class _Https(_Http, HTTPSConnection):
    """A connection with TLS that obeys the call of its thread."""


class _Reply(http.client.HTTPResponse):
    """A reply whose interim replies (1xx) are skipped; ``http.client`` skips only 100."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM_REPLIES):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status == http.HTTPStatus.SWITCHING_PROTOCOLS or not 100 <= status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("Too many interim replies.")


class _TimedSocket:
    """What ``http.client`` needs of a socket to read a reply."""

    def __init__(self, connection: socket.socket, call: Call) -> None:
        self._connection = connection
        self._call = call

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._connection, self._call))


class _TimedReader(io.RawIOBase):
    """A socket's bytes, each part of them awaited no longer than until the deadline."""

    def __init__(self, connection: socket.socket, call: Call) -> None:
        self._connection = connection
        self._call = call
        self._raw = connection.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connection.settimeout(self._call.seconds_left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
