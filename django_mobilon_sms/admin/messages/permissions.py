"""What each permission lets a person do with messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from ...models import SmsMessage

if TYPE_CHECKING:
    MessageModelAdmin = admin.ModelAdmin[SmsMessage]
else:
    MessageModelAdmin = admin.ModelAdmin


class MessagePermissions(MessageModelAdmin):
    """The permissions that Django does not know; a message is written once and never changed."""

    def has_change_permission(self, request: HttpRequest, obj: SmsMessage | None = None) -> bool:
        """Return ``False``: nobody changes a message."""
        return False

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may send, cancel, resend, resolve and pause."""
        return request.user.has_perm("mobilon_sms.send_smsmessage")

    def has_text_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may see the texts of messages."""
        return request.user.has_perm("mobilon_sms.view_smsmessage_text")
