"""Mailings: who may do what with a list, and the list of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ...models import SmsMailing
from ..badges import badge

if TYPE_CHECKING:
    MailingModelAdmin = admin.ModelAdmin[SmsMailing]
else:
    MailingModelAdmin = admin.ModelAdmin


class MailingList(MailingModelAdmin):
    """The permissions are those of messages: a mailing is a way to write them."""

    list_display = ("name", "state", "created_by", "written_at", "confirmed_by", "written")
    list_select_related = ("created_by", "confirmed_by")
    ordering = ("-id",)
    search_fields = ("name",)
    show_full_result_count = False
    sortable_by = ("name",)
    actions = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the index page shows mailings."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: SmsMailing | None = None) -> bool:
        """Those who see messages, or write them."""
        may_see = request.user.has_perm("mobilon_sms.view_smsmessage")
        return may_see or self.has_add_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Those who write messages."""
        return request.user.has_perm("mobilon_sms.add_smsmessage")

    def has_change_permission(self, request: HttpRequest, obj: SmsMailing | None = None) -> bool:
        """Nobody: a list is confirmed or corrected by another."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SmsMailing | None = None) -> bool:
        """Nobody: a list is forgotten by itself, and what was confirmed stays."""
        return False

    def may_cancel(self, request: HttpRequest) -> bool:
        """Those who decide about messages that were written."""
        return request.user.has_perm("mobilon_sms.send_smsmessage")

    def may_read(self, request: HttpRequest, mailing: SmsMailing) -> bool:
        """Those who see texts; a list that waits is also its writer's own."""
        if request.user.has_perm("mobilon_sms.view_smsmessage_text"):
            return True
        return mailing.confirmed_at is None and mailing.created_by_id == request.user.pk

    @admin.display(description=_("state"))
    def state(self, mailing: SmsMailing) -> Any:
        """Whether its messages are written."""
        if mailing.confirmed_at:
            return badge("sent", _("confirmed"))
        return badge("unknown", _("waits to be confirmed"))

    @admin.display(description=_("created at"), ordering="created_at")
    def written_at(self, mailing: SmsMailing) -> Any:
        """When it was uploaded."""
        return mailing.created_at

    def get_queryset(self, request: HttpRequest) -> QuerySet[SmsMailing]:
        """Without the forgotten, and without their files."""
        rows = cast("QuerySet[SmsMailing]", SmsMailing.objects.for_write().remembered())
        return rows.defer("file", "text").order_by(*self.ordering)
