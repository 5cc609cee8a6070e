"""The list of messages as a file to download."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils import formats, timezone
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from .. import spreadsheet_files
from ..bounded_paginator import count_up_to
from ..messages.permissions import MessagePermissions
from ..messages.responses import Responses
from . import export_files

TOO_MANY = _("An XLSX file holds at most %(limit)s messages. Export as CSV, or narrow the list.")


class ExportPage(MessagePermissions, Responses):
    """All messages that the list would show, on all its pages; texts only with the permission."""

    @method_decorator(require_safe)
    def export_view(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Return the file, or redirect to the list if that would refuse the filters."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if kind not in spreadsheet_files.kinds():
            raise Http404
        try:
            found = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(self._address("smsmessage_changelist") + "?e=1")
        rows = export_files.rows(found, with_texts=self.has_text_permission(request))
        name = f"sms-{timezone.localdate():%Y-%m-%d}.{kind}"
        if kind == "csv":
            # A spreadsheet expects the delimiter that the numbers of its language leave free.
            delimiter = ";" if formats.get_format("DECIMAL_SEPARATOR") == "," else ","
            return spreadsheet_files.csv_response(name, rows, delimiter=delimiter)
        if self._too_many(request, found):
            query = request.GET.urlencode()
            return HttpResponseRedirect(f"{self._address('smsmessage_changelist')}?{query}")
        title = str(capfirst(self.opts.verbose_name_plural))
        return spreadsheet_files.xlsx_response(name, rows, title=title)

    def _too_many(self, request: HttpRequest, found: QuerySet[Any]) -> bool:
        limit = export_files.MAX_XLSX_ROWS
        if count_up_to(found, limit) <= limit:
            return False
        shown = formats.number_format(limit, force_grouping=True)
        self.message_user(request, str(TOO_MANY % {"limit": shown}), messages.ERROR)
        return True
