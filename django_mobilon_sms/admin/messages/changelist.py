"""The list of messages."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.http import urlencode
from django.utils.text import capfirst

from ...models import db_now
from .. import bounded_paginator, spreadsheet_files
from ..actions import menu
from ..actions.decide import Decisions
from ..actions.mixin import MessageActions
from ..gateway_panel import GatewaySwitches, panel
from ..reports.export_page import ExportPage
from ..reports.page import ReportPage
from . import filters, search, start_page
from .columns import MessageFields

#: What a checkbox of the list may carry: a number that every database can hold.
_PK = re.compile(r"[0-9]{1,18}")


class MessageList(
    MessageFields, Decisions, ReportPage, ExportPage, GatewaySwitches, start_page.OnIndex
):
    """The newest first, to look through, to find one, to choose some for an action."""

    actions = (*MessageActions.actions, "delete_selected")
    list_display = (
        "status_badge",
        "number",
        "beginning",
        "waits",
        "written",
        "sent",
        "segments",
        "tag",
        "source",
    )
    list_display_links = ("number",)
    list_filter = (
        "status",
        filters.WaitingFilter,
        filters.DecisionFilter,
        "created_at",
        filters.TagFilter,
        filters.SourceFilter,
        "priority",
        ("error_code", filters.ErrorFilter),
    )
    list_select_related = ()
    ordering = ("-id",)
    paginator = bounded_paginator.BoundedPaginator
    search_fields = ("guid",)  # shows the box; ``lookups.search`` does the rest
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ("number", "written")  # what an index has in its order

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only the filters of the list, with values a database can hold."""
        return lookup in filters.LOOKUPS and "\0" not in value

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with the state of the gateway and what waits for a decision."""
        if not all(map(_PK.fullmatch, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            raise BadRequest("The id of a message is a number.")
        context: dict[str, Any] = {"title": capfirst(self.opts.verbose_name_plural)}
        if self.has_view_permission(request):
            context["gateway"] = panel()
            context["has_send_permission"] = self.has_send_permission(request)
            context["undecided"] = start_page.undecided()
            context["most"] = bounded_paginator.MOST
            context["exports"] = spreadsheet_files.kinds()
            kept = [pair for pair in request.GET.lists() if pair[0] not in ("p", "e", "o")]
            context["narrowed"] = urlencode(kept, doseq=True)
        return super().changelist_view(request, context | (extra_context or {}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The messages, each with the database's time: how long one waits is seen by it."""
        return super().get_queryset(request).annotate(now=db_now())

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Only what can be done with messages of the status that the list is narrowed to."""
        possible = menu.of_list(request.GET)
        return {name: it for name, it in super().get_actions(request).items() if name in possible}

    def get_list_display(self, request: HttpRequest) -> Any:
        """The columns; the text only for those who may see it."""
        columns = [str(column) for column in self.list_display]
        if not self.has_text_permission(request):
            columns[columns.index("beginning")] = "hidden_text"
        return columns

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """With what this person can type into the box."""
        found = super().get_changelist_instance(request)
        in_texts = self.has_text_permission(request)
        found.search_help_text = str(search.HELP_WITH_TEXT if in_texts else search.HELP)
        return found

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By what was typed, also where Django's form refuses it and would then show everything."""
        typed = search_term or request.GET.get("q", "")
        return search.search(queryset, typed, in_texts=self.has_text_permission(request)), False
