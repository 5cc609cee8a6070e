"""Duplicates: the same text to the same number within a short time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ..choices import NOT_SENT
from ..conf import conf
from ..models import SmsMessage, chunked, db_now

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

DUPLICATE = _("This number was sent the same text a short while ago.")


def recently_sent(
    numbers: Iterable[str],
    seconds: float | None,
    *,
    confined_to: AbstractBaseUser | None = None,
) -> set[tuple[str, str]]:
    """Return each number and text of the messages to these numbers, written in this period.

    Messages that were not sent do not count, nor do those of others than the user ``confined_to``.
    ``None`` for the period stands for no period, and finds nothing.
    """
    return {(number, text) for _guid, number, text in _recent(numbers, seconds, confined_to)}


def duplicates(
    new: Sequence[SmsMessage], confined_to: AbstractBaseUser | None = None
) -> dict[UUID, ValidationError]:
    """Return an error, by guid, for each new message that ``DUPLICATE_WITHIN`` forbids.

    The new messages are in the database already. The first of several is no duplicate. For a user
    ``confined_to`` their own messages, only those count.
    """
    if conf.DUPLICATE_WITHIN is None:
        return {}
    own = {message.guid for message in new}
    recent = _recent({message.number for message in new}, conf.DUPLICATE_WITHIN, confined_to)
    seen = {(number, text) for guid, number, text in recent if guid not in own}
    errors = {}
    for message in new:
        if (message.number, message.text) in seen:
            error = ValidationError(DUPLICATE, code="duplicate")
            errors[message.guid] = ValidationError({"text": error})
        seen.add((message.number, message.text))
    return errors


def _recent(
    numbers: Iterable[str], seconds: float | None, confined_to: AbstractBaseUser | None
) -> list[tuple[UUID, str, str]]:
    found: list[tuple[UUID, str, str]] = []
    if seconds is None:
        return found
    since = db_now() - timedelta(seconds=seconds)
    rows = SmsMessage.objects.for_write().exclude(status__in=NOT_SENT).filter(created_at__gt=since)
    if confined_to is not None:
        rows = rows.filter(created_by=confined_to.pk)
    for chunk in chunked(numbers):
        found += rows.filter(number__in=chunk).values_list("guid", "number", "text")
    return found
