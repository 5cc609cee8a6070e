"""Requests to the Mobilon gateway and its replies, without Django and without the settings."""

from typing import Any

from .backend import MAX_OBJECTS, Backend, OutgoingMessage, with_call
from .calls import Call
from .clock import uptime
from .reply_parser import SendResult, StatusReport

__all__ = [
    "MAX_OBJECTS",
    "Backend",
    "Call",
    "Connections",
    "MobilonGateway",
    "OutgoingMessage",
    "SendResult",
    "StatusReport",
    "transport_error",
    "uptime",
    "with_call",
]


def __getattr__(name: str) -> Any:
    """Import the client on first use, because it imports ``requests``, which is slow."""
    if name in ("Connections", "MobilonGateway", "transport_error"):
        from . import client  # noqa: PLC0415

        return getattr(client, name)
    raise AttributeError(name)
