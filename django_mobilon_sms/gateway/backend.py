"""What passes between the app and whoever speaks to the gateway; no network, no Django.

Only a worker needs ``requests``: who writes messages does not wait until it is imported.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from .reply_parser import SendResult, StatusReport

#: How many objects one request may carry: the vendor's limit.
MAX_OBJECTS = 100


class OutgoingMessage(NamedTuple):
    """What the gateway is given of one message; the number as it is written on the wire."""

    guid: UUID
    number: str
    text: str
    source: str

    def __repr__(self) -> str:
        return f"<OutgoingMessage {self.guid}>"


class Backend(Protocol):
    """What the app needs of a gateway: ``MOBILON_SMS_BACKEND`` names a class with this shape."""

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        timeout: float,
        *,
        refused_http_codes: Collection[int] = ...,
    ) -> None: ...

    def send(self, messages: Sequence[OutgoingMessage]) -> list[SendResult]: ...

    def status(self, ids: Sequence[str]) -> list[StatusReport]: ...
