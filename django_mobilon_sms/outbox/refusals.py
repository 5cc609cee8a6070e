"""Why the outbox refuses valid messages: stopped numbers, the hourly limit, duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError

from ..models import SmsMessage
from .duplicates import duplicates
from .recipient_limit import over_limit
from .stop_list import to_stopped_numbers


def refusals(
    new: Sequence[SmsMessage], confined_to: AbstractBaseUser | None = None
) -> dict[UUID, ValidationError]:
    """Return an error, by guid, for each new message that is refused now.

    It only reads, so a form can ask it about messages that are not written yet. ``confined_to`` is
    the user whose own messages alone count as duplicates.
    """
    refused = {**duplicates(new, confined_to), **to_stopped_numbers(new)}
    return {**over_limit(new, refused), **refused}
