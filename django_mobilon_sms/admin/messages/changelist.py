"""The list of messages."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.http import urlencode

from ...models import db_now
from .. import spreadsheet_files
from ..actions import menu
from ..bounded_paginator import PK, BoundedList
from . import filters, search
from .columns import usual_columns
from .permissions import MessagePermissions


class MessageList(MessagePermissions, BoundedList):
    """The newest messages first, to look through, search, filter and choose for an action."""

    list_display = (
        "status_badge",
        "recipient",
        "beginning",
        "written",
        "sent",
        "segments",
        "tag",
        "source",
    )
    list_display_links = ("recipient",)
    list_filter = (
        "status",
        filters.WaitingFilter,
        filters.DecisionFilter,
        "created_at",
        filters.TagFilter,
        filters.MailingFilter,
        filters.SourceFilter,
        "priority",
        ("error_code", filters.ErrorFilter),
    )
    list_select_related = ()
    ordering = ("-id",)
    search_fields = ("guid",)  # shows the box; ``search.search()`` does the rest
    sortable_by = ("recipient", "written")  # an index has each of these orders

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow only the filters of the list, with values that a database can hold."""
        if lookup == "mailing__exact" and not PK.fullmatch(value):
            return False
        return lookup in filters.LOOKUPS and "\0" not in value

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, without columns that say nothing, and the links to export it."""
        context: dict[str, Any] = {}
        if self.has_view_permission(request):
            context["exports"] = spreadsheet_files.kinds()
            kept = [pair for pair in request.GET.lists() if pair[0] not in ("p", "e", "o")]
            context["filters"] = urlencode(kept, doseq=True)
        response = super().changelist_view(request, context | (extra_context or {}))
        shown = (getattr(response, "context_data", None) or {}).get("cl")
        if shown is not None:
            unused = usual_columns(shown.result_list)
            shown.list_display = [name for name in shown.list_display if name not in unused]
            shown.chosen = filters.chosen(shown)
        return response

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the messages, each with the database's time and its possible actions."""
        return super().get_queryset(request).annotate(now=db_now(), **menu.row_conditions())

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return only the actions that are possible for messages that pass the filters."""
        possible = menu.for_list(request.GET)
        actions = super().get_actions(request)
        return {name: action for name, action in actions.items() if name in possible}

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns, the text only for a person who may see it."""
        columns = [str(column) for column in self.list_display]
        if not self.has_text_permission(request):
            columns[columns.index("beginning")] = "hidden_text"
        return columns

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Return Django's list, with the help for what this person can search for."""
        changelist = super().get_changelist_instance(request)
        in_texts = self.has_text_permission(request)
        changelist.search_help_text = str(search.HELP_WITH_TEXT if in_texts else search.HELP)
        return changelist

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search for what was typed, also if Django's form refuses it and would show everything."""
        typed = search_term or request.GET.get("q", "")
        return search.search(queryset, typed, in_texts=self.has_text_permission(request)), False
