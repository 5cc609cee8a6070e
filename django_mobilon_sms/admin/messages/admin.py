"""Messages in the admin: a list to work with, a form to write one, a page to read one."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from ...models import SmsMessage
from ..non_atomic import NonAtomic
from .deletion import EndedOnly
from .page import MessagePages


@admin.register(SmsMessage)
class MessageAdmin(NonAtomic, EndedOnly, MessagePages):
    """A message is written once: nobody changes one."""

    view_on_site = False

    class Media:
        css = {"all": ("mobilon_sms/admin.css",)}
        js = (forms.Script("mobilon_sms/list.js", defer=True),)

    def has_change_permission(self, request: HttpRequest, obj: SmsMessage | None = None) -> bool:
        """Nobody changes a message."""
        return False
