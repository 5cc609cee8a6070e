"""Backends for a project's own tests and development: nothing leaves the process.

::

    @override_settings(MOBILON_SMS_BACKEND="django_mobilon_sms.testing.MemoryBackend")
    def test_order_tells_its_buyer(self):
        order.ship()
        call_command("send_sms")
        assert MemoryBackend.sent[0].number == "89135292926"
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Collection, Sequence
from datetime import datetime, timezone
from typing import ClassVar

from .gateway import OutgoingMessage, SendResult, StatusReport


class MemoryBackend:
    """Accepts every message, keeps it in ``sent``, and reports it as sent."""

    #: Every message of the process, in order of sending; ``clear()`` it before a test.
    sent: ClassVar[list[OutgoingMessage]] = []

    def __init__(
        self,
        base_url: str = "",
        username: str = "",
        password: str = "",
        timeout: float = 0,
        *,
        refused_http_codes: Collection[int] = (),
    ) -> None:
        """Takes what every backend takes, and needs none of it."""

    @classmethod
    def clear(cls) -> None:
        """Forget what was sent."""
        cls.sent.clear()

    def send(self, messages: Sequence[OutgoingMessage]) -> list[SendResult]:
        """Keep the messages."""
        self.sent.extend(messages)
        return [SendResult(message.guid, 0, secrets.token_hex(12)) for message in messages]

    def status(self, ids: Sequence[str]) -> list[StatusReport]:
        """Report all of them as sent now."""
        now = datetime.now(timezone.utc)
        return [StatusReport(id_, 1, None, now) for id_ in ids]


class ConsoleBackend(MemoryBackend):
    """Prints every message instead of sending it: for development, like Django's for e-mail."""

    def send(self, messages: Sequence[OutgoingMessage]) -> list[SendResult]:
        """Print the messages to standard output."""
        for message in messages:
            sys.stdout.write(f"SMS to {message.number} from {message.source}: {message.text}\n")
        sys.stdout.flush()
        return [SendResult(message.guid, 0, secrets.token_hex(12)) for message in messages]
