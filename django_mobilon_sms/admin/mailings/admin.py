"""Mailings in the admin."""

from __future__ import annotations

from django.contrib import admin

from ...models import SmsMailing
from ..history import TranslatedHistory
from ..non_atomic import NonAtomic
from .pages import MailingPages


@admin.register(SmsMailing)
class MailingAdmin(NonAtomic, TranslatedHistory, MailingPages):
    """A list is uploaded, previewed and confirmed."""

    class Media:
        css = {"all": ("mobilon_sms/admin.css", "mobilon_sms/writing.css")}
