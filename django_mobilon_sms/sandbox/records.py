"""What the sandbox keeps of each request and message."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import Message
from typing import Any


@dataclass(frozen=True)
class Received:
    """A message taken in. `at` is in seconds since 1970, `id` the one the gateway gave it."""

    guid: str
    text: str = field(repr=False)
    number: str = field(repr=False)
    source: str = field(repr=False)
    id: str
    at: float


@dataclass(frozen=True)
class Exchange:
    """A request heard, and how it was answered. `headers` are found in any case of letters.

    `objects` is None where the body was no JSON array, `fault` empty where none struck, `code`
    None where no HTTP code was answered; `received` are the messages that were taken in.
    """

    method: str
    path: str
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)
    objects: list[Any] | None = field(repr=False)
    fault: str
    code: int | None
    received: tuple[Received, ...] = ()
