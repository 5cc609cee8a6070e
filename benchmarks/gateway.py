"""A gateway that is fast enough not to be what is measured: one thread, no disk, no faults.

``http://127.0.0.1:PORT/LATENCY/send/`` answers after so many milliseconds. ``/0/heard/`` answers
when requests arrived, and the urgent messages in them, by the monotonic clock of the machine.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import Callable
from typing import cast

#: How the text of a message begins whose arrival is kept.
URGENT = "Urgent"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection of a client, kept until the client closes it."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._heard = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self.transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Answer once the request is whole; clients send one at a time."""
        self._heard += data
        head, end, body = self._heard.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._heard.clear()
        _, latency, path, _ = bytes(head).split(b" ", 2)[1].split(b"/")
        reply = ANSWERS[path](bytes(body))
        loop = asyncio.get_running_loop()
        loop.call_later(int(latency) / 1000, self.transport.write, HEAD % len(reply) + reply)


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0])


def send(body: bytes) -> bytes:
    """Every message is taken."""
    messages = json.loads(body)
    guids = [message["guid"] for message in messages]
    now = time.monotonic()
    _requests.append(now)
    if URGENT.encode() in body:
        kept = (one["guid"] for one in messages if one["text"].startswith(URGENT))
        _urgent.update(dict.fromkeys(kept, now))
    line = '{"guid":"%s","id":"%s","status":0}'
    return _array([line % (guid, guid.replace("-", "")[:24]) for guid in guids])


def status(body: bytes) -> bytes:
    """Every message is sent."""
    line = '{"id":"%s","status":1,"dateTimeSent":"2026-01-31T09:00:00+00:00"}'
    return _array([line % message["id"] for message in json.loads(body)])


def heard(_body: bytes) -> bytes:
    """Return the arrivals since the last question, and forget them."""
    reply = json.dumps({"requests": _requests, "urgent": _urgent}).encode()
    _requests.clear()
    _urgent.clear()
    return reply


def _array(objects: list[str]) -> bytes:
    return b"[%s]" % ",".join(objects).encode()


ANSWERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"send": send,
    b"status": status,
    b"heard": heard,
}
#: When each request arrived that sends, and each urgent message by its guid.
_requests: list[float] = []
_urgent: dict[str, float] = {}


async def serve() -> None:
    """Print the address, and answer until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    async with await loop.create_server(Connection, "127.0.0.1", 0, backlog=512) as server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve())
