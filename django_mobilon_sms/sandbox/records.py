"""Records of the requests and messages that the sandbox received."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import Message
from typing import Any


@dataclass(frozen=True)
class Received:
    """An accepted message. `at` is a Unix time in seconds, `id` the one the sandbox gave it."""

    guid: str
    text: str = field(repr=False)
    number: str = field(repr=False)
    source: str = field(repr=False)
    id: str
    at: float


@dataclass(frozen=True)
class Exchange:
    """A request and its answer. Names in `headers` are case-insensitive.

    `objects` is None if the body was not a JSON array, `fault` is empty if none struck, `code` is
    None if no HTTP code was answered, and `received` are the messages accepted.
    """

    method: str
    path: str
    headers: Message = field(repr=False)
    body: bytes = field(repr=False, default=b"")
    objects: list[Any] | None = field(repr=False, default=None)
    fault: str = ""
    code: int | None = None
    received: tuple[Received, ...] = ()
