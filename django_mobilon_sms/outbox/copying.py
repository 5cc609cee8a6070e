"""Copy a message that was not sent into a new one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ..choices import NOT_SENT
from ..models import SmsMessage
from .writing import send_sms

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser


def copy_message(
    message: SmsMessage,
    *,
    created_by: AbstractBaseUser | None,
    guid: UUID | None = None,
    send_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> SmsMessage:
    """Copy a failed, expired or cancelled message into a new one, due now unless a time is given.

    The same ``guid`` again returns the same copy. Raises ``ValidationError`` for a message in
    another status, and if its number, sender or text is no longer allowed.
    """
    if message.status not in NOT_SENT:
        raise ValidationError(
            _("Only failed, expired and cancelled messages can be copied."), code="status"
        )
    if not message.text:
        raise ValidationError(_("The text of this message has been forgotten."), code="forgotten")
    return send_sms(
        message.number,
        message.text,
        source=message.source,
        send_at=send_at,
        expires_at=expires_at,
        priority=message.priority,
        tag=message.tag,
        guid=guid,
        created_by=created_by,
    )
