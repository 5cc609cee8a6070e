"""A way to a database server that loses the answer to a COMMIT."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from django.db import connection

Socket = socket.socket


class CommitProxy:
    """A way to the database that, once armed, cuts a connection between a COMMIT and its answer."""

    def __init__(self) -> None:
        settings = connection.settings_dict
        self._target = (settings["HOST"], int(settings["PORT"]))
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.is_armed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more; the connections end with their workers."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _address = self._server.accept()
                far = socket.create_connection(self._target)
                lost = threading.Event()  # the answer that comes next
                for copy in (self._copy_requests, self._copy_answers):
                    threading.Thread(target=copy, args=(near, far, lost), daemon=True).start()

    def _copy_requests(
        self, near: socket.socket, far: socket.socket, lost: threading.Event
    ) -> None:
        with suppress(OSError), near, far:
            while data := near.recv(65536):
                with self._lock:
                    if self.is_armed and b"COMMIT" in data:
                        self.is_armed = False
                        lost.set()
                far.sendall(data)

    def _copy_answers(self, near: Socket, far: Socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := far.recv(65536):
                if lost.is_set():
                    break
                near.sendall(data)
            for end in (near, far):
                end.shutdown(socket.SHUT_RDWR)
