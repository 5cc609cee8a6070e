"""The app's own permissions on messages: to send, to send again, and to see texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from ...models import SmsMessage

if TYPE_CHECKING:
    MessageModelAdmin = admin.ModelAdmin[SmsMessage]
else:
    MessageModelAdmin = admin.ModelAdmin

SEND = "mobilon_sms.send_smsmessage"
RESEND = "mobilon_sms.resend_smsmessage"


class MessagePermissions(MessageModelAdmin):
    """Check the permissions of a person; a message is written once and nobody changes it."""

    def has_change_permission(self, request: HttpRequest, obj: SmsMessage | None = None) -> bool:
        """Return ``False``."""
        return False

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may send, cancel, resolve and pause."""
        return request.user.has_perm(SEND)

    def has_text_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may see the texts of messages."""
        return request.user.has_perm("mobilon_sms.view_smsmessage_text")

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may send messages anew: the author of a text may learn it."""
        return request.user.has_perm(RESEND) and self.has_text_permission(request)

    def has_copy_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may open the form with the values of a message."""
        may_read = self.has_view_permission(request) and self.has_text_permission(request)
        return may_read and self.has_add_permission(request)
