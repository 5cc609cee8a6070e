"""Why the outbox refuses valid messages: stopped numbers and duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.core.exceptions import ValidationError

from ..models import SmsMessage
from .duplicates import duplicates
from .stop_list import to_stopped_numbers


def refusals(new: Sequence[SmsMessage]) -> dict[UUID, ValidationError]:
    """Return an error, by guid, for each new message that is refused now.

    It only reads, so a form can ask it about messages that are not written yet.
    """
    return {**duplicates(new), **to_stopped_numbers(new)}
