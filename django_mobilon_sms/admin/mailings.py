"""Mailings in the admin: lists to send to."""

from __future__ import annotations

from django.contrib import admin

from ..models import SmsMailing
from .mailing_pages import MailingPages
from .outside import OutsideTransactions


@admin.register(SmsMailing)
class MailingAdmin(OutsideTransactions, MailingPages):
    """A list is uploaded, looked at and confirmed."""

    class Media:
        css = {"all": ("mobilon_sms/admin.css", "mobilon_sms/writing.css")}
