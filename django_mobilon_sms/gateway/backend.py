"""The contract between the app and a backend, which speaks to the gateway.

This module imports no ``requests``, because a process that only writes messages does not need it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from .reply_parser import SendResult, StatusReport

#: Most objects in one request, set by the vendor.
MAX_OBJECTS = 100


class OutgoingMessage(NamedTuple):
    """A message as it is sent to the gateway; ``number`` is in the gateway's form."""

    guid: UUID
    number: str
    text: str
    source: str

    def __repr__(self) -> str:
        return f"<OutgoingMessage {self.guid}>"


class Backend(Protocol):
    """What ``MOBILON_SMS_BACKEND`` names: a class whose instances speak to the gateway.

    A worker calls one instance from several threads at once. A call takes at most ``timeout``
    seconds; a worker abandons one that takes much longer.

    A failed call raises an error of ``django_mobilon_sms.exceptions`` that claims what happened:

    * ``NeverLeft``: no part of the request reached the gateway.
    * ``Refused``: the gateway accepted nothing of the request.
    * ``OutcomeUnknown``: the gateway may have processed the request.

    The code of the error is one of ``choices.ErrorCode``. The worker sends the messages again after
    ``NeverLeft`` and ``Refused``, except that ``Refused("rejected")`` ends a message as failed. Any
    other exception is taken as ``OutcomeUnknown``: the messages become unknown.
    """

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        timeout: float,
        *,
        refused_http_codes: Collection[int] = ...,
    ) -> None: ...

    def send(self, messages: Sequence[OutgoingMessage]) -> list[SendResult]:
        """Send 1 to 100 messages in one POST that is never repeated, and return the answers.

        An error is about all messages of the call. A message without an answer becomes unknown.
        """

    def status(self, ids: Sequence[str]) -> list[StatusReport]:
        """Return the reports for 1 to 100 of the gateway's ids; an id may be without a report."""
