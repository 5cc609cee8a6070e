"""Which actions the list and the page of a message offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper

from ...choices import Status
from ...models import SmsMessage
from .catalogue import ACTIONS, COPY, MessageAction

#: Django's own action; ``messages/deletion.py`` restricts it to ended messages.
DELETE = "delete_selected"


#: The status of all messages that these filters leave.
STATUS_OF_FILTER = {
    ("decision", "none"): Status.UNKNOWN,
    ("decision", "sent"): Status.UNKNOWN,
    ("decision", "given_up"): Status.UNKNOWN,
    ("waits", "long"): Status.PENDING,
}


def row_conditions() -> dict[str, ExpressionWrapper[Any]]:
    """Return the annotations of a message that ``for_row()`` reads."""
    return {
        f"can_{action.name}": ExpressionWrapper(action.rule, BooleanField()) for action in ACTIONS
    }


def for_row(message: SmsMessage) -> list[str]:
    """Return the names of the actions that may be possible for a message of the list."""
    names = [action.name for action in ACTIONS if getattr(message, f"can_{action.name}")]
    return [*names, DELETE] if message.has_ended else names  # type: ignore[attr-defined]  # annotated


def for_list(filters: Mapping[str, str]) -> set[str]:
    """Return the names of the actions that may be possible for messages that pass the filters."""
    statuses = {status for pair, status in STATUS_OF_FILTER.items() if pair in filters.items()}
    statuses |= {status for status in Status if status == filters.get("status__exact")}
    names = {action.name for action in ACTIONS if statuses.issubset(action.statuses)}
    return names if statuses & {Status.PENDING, Status.SENDING} else {*names, DELETE}


def for_message(pk: int) -> list[MessageAction]:
    """Return the actions that are possible for this message now."""
    row = SmsMessage.objects.for_write().filter(pk=pk)
    return [action for action in ACTIONS if action.eligible(row).exists()]


def is_copyable(pk: int) -> bool:
    """Return whether the form can be opened with the values of this message now."""
    return COPY.eligible(SmsMessage.objects.for_write().filter(pk=pk)).exists()
