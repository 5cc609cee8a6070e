"""Backends for the tests and the development of a project: no message leaves the process."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Collection, Sequence
from datetime import datetime, timezone
from typing import ClassVar

from .gateway import OutgoingMessage, SendResult, StatusReport


class MemoryBackend:
    """Accepts every message, keeps it in ``sent`` and reports it as sent.

    For tests::

        @override_settings(MOBILON_SMS_BACKEND="django_mobilon_sms.testing.MemoryBackend")
        def test_buyer_gets_a_message(self):
            MemoryBackend.clear()
            order.ship()
            call_command("send_sms")
            assert MemoryBackend.sent[0].number == "89135292926"
    """

    #: All messages of this process, in the order of sending, until ``clear()``.
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
        """Accept the arguments of every backend, and use none."""

    @classmethod
    def clear(cls) -> None:
        """Empty ``sent``."""
        cls.sent.clear()

    def send(self, messages: Sequence[OutgoingMessage]) -> list[SendResult]:
        """Keep the messages, and accept each with a new id."""
        self.sent.extend(messages)
        return _accepted(messages)

    def status(self, ids: Sequence[str]) -> list[StatusReport]:
        """Report all messages as sent now."""
        now = datetime.now(timezone.utc)
        return [StatusReport(id_, 1, None, now) for id_ in ids]


class ConsoleBackend(MemoryBackend):
    """Prints every message instead of sending it. For development::

        MOBILON_SMS_BACKEND = "django_mobilon_sms.testing.ConsoleBackend"

    It keeps no message in ``sent``.
    """

    def send(self, messages: Sequence[OutgoingMessage]) -> list[SendResult]:
        """Print the messages to standard output, and accept each with a new id."""
        for message in messages:
            sys.stdout.write(f"SMS to {message.number} from {message.source}: {message.text}\n")
        sys.stdout.flush()
        return _accepted(messages)


def _accepted(messages: Sequence[OutgoingMessage]) -> list[SendResult]:
    return [SendResult(message.guid, 0, secrets.token_hex(12)) for message in messages]
