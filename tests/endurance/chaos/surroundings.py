"""What goes wrong around a worker's process: its name server, its receivers, its output.

``CHAOS_AROUND`` names one of ``AROUND``, which ``set_up()`` puts into the process.
"""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .notes import folder, note

#: Longest time in seconds that a request of ``slow_names()`` is waited for beyond its deadline:
#: short like the other times of a storm, so that it ends within the lease.
GRACE = 1.0
#: A name server that is slower than the timeout and ``GRACE``, and one that is only slow.
SECONDS = (4.0, 0.1, 0.1)
#: Calls of a receiver after which a worker has several requests under way.
AT_FIRST = 14


def set_up() -> None:
    """Put what ``CHAOS_AROUND`` names into this process."""
    AROUND.get(os.environ.get("CHAOS_AROUND", ""), lambda: None)()


def dead_addresses() -> None:
    """Let the gateway's name lead to two addresses that never answer, and then to its own."""
    ports = [int(port) for port in os.environ["CHAOS_DEAD_PORTS"].split()]
    answer_names(lambda port: [*ports, port])


def slow_names() -> None:
    """Let the name server sleep, sometimes for longer than anybody waits for the request."""
    from django_mobilon_sms.worker import request_threads

    request_threads.GRACE = GRACE
    naps = itertools.cycle(SECONDS)

    def answer(port: int) -> list[int]:
        time.sleep(next(naps))
        return [port]

    answer_names(answer)


def answer_names(answer: Any) -> None:
    """Answer each look-up of a name with these ports of this host."""

    def getaddrinfo(host: str, port: int, *_: object) -> list[tuple[object, ...]]:
        note("fault")
        stream = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*stream, ("127.0.0.1", number)) for number in answer(port)]

    socket.getaddrinfo = getaddrinfo  # type: ignore[assignment]


def slow_receivers() -> None:
    """Connect a receiver that once, in one of the workers, takes longer than a lease.

    By then several requests are under way, and another worker sweeps.
    """
    from django_mobilon_sms.conf import conf
    from django_mobilon_sms.signals import status_changed

    calls = itertools.count()

    def receive(**_: object) -> None:
        note("fault")
        with suppress(FileExistsError):
            if next(calls) > AT_FIRST:
                (folder() / "slept").touch(exist_ok=False)
                time.sleep(conf.LEASE + 1)

    status_changed.connect(receive, weak=False)


AROUND = {
    "dead addresses": dead_addresses,
    "slow names": slow_names,
    "slow receivers": slow_receivers,
}


def full_disk() -> int:
    """Return a descriptor that has no room."""
    return os.open("/dev/full", os.O_WRONLY)


def reader_gone() -> int:
    """Return a descriptor that nobody reads."""
    reader, descriptor = os.pipe()
    os.close(reader)
    return descriptor


#: Outputs of workers that cannot be written.
UNWRITABLE = {"full disk": full_disk, "reader gone": reader_gone}


@contextmanager
def output(environment: dict[str, str]) -> Iterator[int | None]:
    """Yield the output that the cell gives its workers, or none."""
    open_output = UNWRITABLE.get(environment.get("CHAOS_AROUND", ""))
    descriptor = open_output and open_output()
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)
