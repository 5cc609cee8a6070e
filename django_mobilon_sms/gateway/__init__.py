"""Everything said to Mobilon and heard back. This room knows neither Django nor the settings."""

from typing import Any

from .backend import MAX_OBJECTS, Backend, OutgoingMessage
from .reply_parser import SendResult, StatusReport

__all__ = [
    "MAX_OBJECTS",
    "Backend",
    "MobilonGateway",
    "OutgoingMessage",
    "SendResult",
    "StatusReport",
]


def __getattr__(name: str) -> Any:
    """Import the client when it is asked for: a process that only writes needs no ``requests``."""
    if name == "MobilonGateway":
        from .client import MobilonGateway  # noqa: PLC0415

        return MobilonGateway
    raise AttributeError(name)
