"""Messages in the admin: a list to work with, a form to write one, a page to read one.

Each page and group of actions is a mixin in a file of its own.
"""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.urls import URLPattern, path

from ...models import SmsMessage
from ..actions.changelist_actions import ChangelistActions
from ..actions.decide import DecisionPage
from ..compose.page import WritePage
from ..history import TranslatedHistory
from ..non_atomic import NonAtomic
from ..reports.export_page import ExportPage
from ..reports.page import ReportPage
from ..status_line import GatewaySwitches
from .changelist import MessageList
from .columns import MessageColumns
from .deletion import Deletion
from .page import MessagePage
from .start_page import StartPage


@admin.register(SmsMessage)
class MessageAdmin(
    NonAtomic,
    TranslatedHistory,
    MessageList,
    MessageColumns,
    MessagePage,
    WritePage,
    ChangelistActions,
    DecisionPage,
    Deletion,
    ReportPage,
    ExportPage,
    GatewaySwitches,
    StartPage,
):
    """A message is written once: nobody changes one."""

    actions = ("send_now", "refresh", "cancel", "copy", "decide", "delete_selected")

    class Media:
        css = {"all": ("mobilon_sms/admin.css", "mobilon_sms/list.css")}
        js = (forms.Script("mobilon_sms/list.js", defer=True),)

    def extra_urls(self) -> list[URLPattern]:
        """Return the addresses of the pages that Django's admin does not have."""
        page = self.admin_site.admin_view
        return [
            path("add/recipients/", page(self.recipients_view), name="mobilon_sms_recipients"),
            path("decide/", page(self.decide_view), name="mobilon_sms_decide"),
            path("export/<slug:kind>/", page(self.export_view), name="mobilon_sms_export"),
            path("gateway/<slug:name>/", page(self.switch_view), name="mobilon_sms_gateway"),
            path("reports/", page(self.report_view), name="mobilon_sms_reports"),
        ]
