"""The start page of the admin, with a line about messages that wait for a decision."""

from __future__ import annotations

from django.contrib.admin import AdminSite

from ...models import SmsMessage
from .permissions import MessageModelAdmin

#: Django's own page, with the line above it.
TEMPLATE = "admin/mobilon_sms/index.html"


class StartPage(MessageModelAdmin):
    """Give the admin site our start page, unless the project has one of its own."""

    def __init__(self, model: type[SmsMessage], admin_site: AdminSite) -> None:
        super().__init__(model, admin_site)
        admin_site.index_template = admin_site.index_template or TEMPLATE
