"""The permissions that REST asks for, whatever the project's defaults are."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from ..conf import conf
from ..outbox import confined

SEE = "mobilon_sms.view_smsmessage"
SEE_TEXT = "mobilon_sms.view_smsmessage_text"
WRITE = "mobilon_sms.add_smsmessage"
ACT = "mobilon_sms.send_smsmessage"
RESEND = "mobilon_sms.resend_smsmessage"


class MessagePermission(BasePermission):
    """Ask for the permission that the view names for its current action."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the user is logged in and has that permission."""
        user = request.user
        return bool(user and user.is_authenticated and user.has_perm(view.required_permission))


def confined_to(user: Any) -> Any:
    """Return the user if they must learn nothing about the messages of others, else ``None``."""
    return user if conf.REST_OWN_MESSAGES_ONLY else confined(user)
