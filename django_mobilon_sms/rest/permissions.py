"""Who may do what; stated here, so that it holds whatever the project's defaults are."""

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
    """Django's permissions: the view names the one that its current action needs."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the user is logged in and has that permission."""
        user = request.user
        return bool(user and user.is_authenticated and user.has_perm(view.required_permission))


def sees(user: Any, message: SmsMessage) -> bool:
    """Whether the user may be told of a message that exists: it is their own, or they see all."""
    if message.created_by_id == user.pk:
        return True
    return not conf.REST_OWN_MESSAGES_ONLY and bool(user.has_perm(SEE))
