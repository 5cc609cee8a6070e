"""Messages in the admin: a list to work with, a form to write one, a page to read one."""

from __future__ import annotations

from django.contrib import admin
from django.db import connections, transaction
from django.http import HttpRequest
from django.urls import URLPattern

from ..models import SmsMessage
from .deletion import EndedOnly
from .message_pages import MessagePages


@admin.register(SmsMessage)
class MessageAdmin(EndedOnly, MessagePages):
    """A message is written once: nobody changes one."""

    view_on_site = False

    class Media:
        css = {"all": ("mobilon_sms/admin.css",)}

    def get_urls(self) -> list[URLPattern]:
        """All outside a request's transaction: "send now" waits for the gateway.

        Where the admin writes, it opens a transaction of its own.
        """
        urls = super().get_urls()
        for url in urls:
            for alias in connections:
                transaction.non_atomic_requests(alias)(url.callback)
        return urls

    def has_change_permission(self, request: HttpRequest, obj: SmsMessage | None = None) -> bool:
        """Nobody changes a message."""
        return False
