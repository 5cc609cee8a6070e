"""The permissions that REST asks for, whatever the project's defaults are."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from ..conf import conf
from ..models import SmsMessage

SEE = "mobilon_sms.view_smsmessage"
SEE_TEXT = "mobilon_sms.view_smsmessage_text"
WRITE = "mobilon_sms.add_smsmessage"
ACT = "mobilon_sms.send_smsmessage"


class MessagePermission(BasePermission):
    """Ask for the permission that the view names for its current action."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the user is logged in and has that permission."""
        user = request.user
        return bool(user and user.is_authenticated and user.has_perm(view.required_permission))


def sees(user: Any, message: SmsMessage) -> bool:
    """Return whether the user may see this message: their own, or any if they see all."""
    if message.created_by_id == user.pk:
        return True
    return not conf.REST_OWN_MESSAGES_ONLY and bool(user.has_perm(SEE))
