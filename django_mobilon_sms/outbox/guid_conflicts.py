"""The same guid again: find its message, and name what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from ..exceptions import GuidConflict
from ..models import SmsMessage, chunked

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

#: Fields that must be equal for two messages with one guid to be the same message.
CONTENT = ("number", "text", "source", "send_at", "expires_at", "priority", "tag", "sensitive")


def messages_by_guid(guids: Iterable[UUID], alias: str) -> dict[UUID, SmsMessage]:
    """Return the messages that have these guids, as last committed."""
    rows = SmsMessage.objects.using(alias)
    if not transaction.get_autocommit(using=alias):
        # FOR UPDATE, because a transaction that reads from a snapshot would miss later commits.
        rows = rows.select_for_update()
    found: dict[UUID, SmsMessage] = {}
    for chunk in chunked(guids):
        found |= rows.in_bulk(chunk, field_name="guid")
    return found


def conflicts(
    messages: Sequence[SmsMessage],
    cleaned: Sequence[Mapping[str, Any]],
    given: Sequence[Mapping[str, Any]],
    confined_to: AbstractBaseUser | None = None,
) -> dict[int, GuidConflict | ValidationError]:
    """Return a conflict, by row, for each row that differs from the message with its guid.

    For a user ``confined_to`` their own messages, the guid of any other message is taken, whatever
    the row says: a conflict that depends on the text would let the user guess it.
    """
    found: dict[int, GuidConflict | ValidationError] = {}
    for index, (message, fields, row) in enumerate(zip(messages, cleaned, given)):
        if row.get("guid") is None:  # its message is its own
            continue
        if confined_to is not None and not _is_own(message, confined_to):
            found[index] = _guid_taken()
        elif names := _differences(message, fields, row):
            found[index] = GuidConflict(message.guid, names)
    return found


def _is_own(message: SmsMessage, user: AbstractBaseUser) -> bool:
    """Return whether the user wrote the message, before or now."""
    return message.was_written or message.created_by_id == user.pk


def _guid_taken() -> ValidationError:
    error = ValidationError(_("This guid is taken."), code="conflict")
    return ValidationError({"guid": error})


def _differences(
    message: SmsMessage, fields: Mapping[str, Any], given: Mapping[str, Any]
) -> list[str]:
    """Return the fields that the caller named and that the message has otherwise.

    Fields that the app has emptied since, such as a forgotten text, are not compared.
    """
    emptied = set()
    if not message.text:
        emptied.add("text")
    if message.resends and message.expires_at is None:
        emptied.add("expires_at")
    return [
        name
        for name in CONTENT
        if given.get(name) is not None
        and name not in emptied
        and getattr(message, name) != fields[name]
    ]
