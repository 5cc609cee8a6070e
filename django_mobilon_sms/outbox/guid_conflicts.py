"""The same guid again: the message that has it, or a conflict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ..models import SmsMessage

if TYPE_CHECKING:
    pass

#: What makes two messages under one guid the same message.
CONTENT = ("number", "text", "source", "send_at", "expires_at", "priority", "tag", "sensitive")


def _conflict(differing: Sequence[str]) -> ValidationError:
    return ValidationError(
        _("A message with this guid exists with another %(fields)s."),
        code="conflict",
        params={"fields": ", ".join(differing)},
    )


def conflicts(
    messages: Sequence[SmsMessage],
    cleaned: Sequence[Mapping[str, Any]],
    given: Sequence[Mapping[str, Any]],
) -> dict[int, ValidationError]:
    return {
        index: ValidationError({"guid": _conflict(differing)})
        for index, (message, fields, row) in enumerate(zip(messages, cleaned, given))
        if (differing := differences(message, fields, named=row))
    }


def differences(
    message: SmsMessage, fields: Mapping[str, Any], *, named: Mapping[str, Any]
) -> list[str]:
    """What a row names and its message has otherwise, or had until the program changed it."""
    forgotten = {"text"} if not message.text else set()
    cleared = {"expires_at"} if message.resends and message.expires_at is None else set()
    return [
        name
        for name in CONTENT
        if named.get(name) is not None
        and getattr(message, name) != fields[name]
        and name not in forgotten | cleared
    ]
