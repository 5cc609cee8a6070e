"""The contract between the app and a backend, which speaks to the gateway.

This module imports no ``requests``, because a process that only writes messages does not need it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from .calls import Call
from .reply_parser import SendResult, StatusReport

R = TypeVar("R")

#: Most objects in one request, set by the vendor.
MAX_OBJECTS = 100


class OutgoingMessage(NamedTuple):
    """A message as it is sent to the gateway.

    ``number`` is `8XXXXXXXXXX` for a Russian number, and the digits without the + for any other.
    """

    guid: UUID
    number: str
    text: str
    source: str

    def __repr__(self) -> str:
        return f"<OutgoingMessage {self.guid}>"


class Backend(Protocol):
    """What ``MOBILON_SMS_BACKEND`` names: a class whose instances speak to the gateway.

    One ``send()`` is one POST, all or nothing, and is never repeated: not by the backend, a library
    below it, a proxy or a redirect. A backend that split a ``send()`` into two POSTs could claim
    about both only what is true of one, and the worker would send the other again.

    A worker calls one instance from several threads at once. ``send()`` takes at most ``timeout``
    seconds and writes nothing after that. A failed call raises an error of
    ``django_mobilon_sms.exceptions``, which claims something about all messages of the call:

    * ``NeverLeft``: no byte of the request was handed to the network. The messages are sent again.
    * ``Refused``: the gateway answered that it accepted none of the messages. They are sent again,
      except that ``Refused("rejected")`` ends them as failed.
    * ``OutcomeUnknown``: the gateway may have processed the request. The messages become unknown.

    The code of the error is one of ``choices.ErrorCode``. Any other exception is taken as
    ``OutcomeUnknown``.

    A worker cannot interrupt a ``send()`` that does not return. It keeps the batch under way until
    its lease ends, and only then the messages become unknown. To be abandoned sooner and with a
    proof, a backend takes a second argument, ``call``: see ``gateway.Call``.

    A backend that keeps connections open may have a ``close()`` without arguments. An instance that
    asks for statuses is closed after the last query of its run; one that sends is not.
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

        A message without an answer becomes unknown.
        """

    def status(self, ids: Sequence[str]) -> list[StatusReport]:
        """Return the reports for 1 to 100 of the gateway's ids; an id may be without a report.

        It is safe to repeat.
        """


def with_call(method: Callable[..., R], call: Call) -> Callable[..., R]:
    """Return a backend's method with the call as its ``call``, where it takes one."""
    try:
        inspect.signature(method, follow_wrapped=False).bind((), call=call)
    except (TypeError, ValueError):
        return method
    return partial(method, call=call)
