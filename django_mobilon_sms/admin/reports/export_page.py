"""The addresses of the list as a file."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.utils import formats, timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from ..bounded_paginator import count_up_to
from ..messages.permissions import MessagePermissions
from ..messages.responses import Responses
from . import export_files

CSV = "text/csv; charset=utf-8"


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ExportPage(MessagePermissions, Responses):
    """All messages that the list would show, on all its pages; texts only with the permission."""

    @method_decorator(require_safe)
    def export_view(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """The file; what the list would refuse leads to the list."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if kind not in exports():
            raise Http404
        try:
            found = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(self._address("smsmessage_changelist") + "?e=1")
        lines = export_files.rows(found, with_texts=self.has_text_permission(request))
        name = f"sms-{timezone.localdate():%Y-%m-%d}.{kind}"
        if kind == "csv":
            attached = {"Content-Disposition": f'attachment; filename="{name}"'}
            return StreamingHttpResponse(
                export_files.as_csv(lines), content_type=CSV, headers=attached
            )
        if self._too_many(request, found):
            query = request.GET.urlencode()
            return HttpResponseRedirect(f"{self._address('smsmessage_changelist')}?{query}")
        file = export_files.as_xlsx(lines)
        return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX)

    def _too_many(self, request: HttpRequest, found: QuerySet[Any]) -> bool:
        if count_up_to(found, most := export_files.MOST_XLSX) <= most:
            return False
        shown = formats.number_format(most, force_grouping=True)
        self.message_user(request, str(export_files.TOO_MANY % {"most": shown}), messages.ERROR)
        return True


def exports() -> list[str]:
    """The kinds of files there are here."""
    return ["csv", "xlsx"] if export_files.knows_xlsx() else ["csv"]
