"""The list of mailings, and the permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from ...models import SmsMailing
from ..badges import badge, short_moment

if TYPE_CHECKING:
    MailingModelAdmin = admin.ModelAdmin[SmsMailing]
else:
    MailingModelAdmin = admin.ModelAdmin


class MailingList(MailingModelAdmin):
    """Mailings need the permissions of messages, because they write messages."""

    list_display = ("name", "state", "created_by", "uploaded", "confirmed_by", "written")
    list_select_related = ("created_by", "confirmed_by")
    ordering = ("-id",)
    search_fields = ("name",)
    show_full_result_count = False
    sortable_by = ("name",)
    actions = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the index page shows mailings."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: SmsMailing | None = None) -> bool:
        """Allow those who may see or write messages."""
        may_see = request.user.has_perm("mobilon_sms.view_smsmessage")
        return may_see or self.has_add_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Allow those who may write messages."""
        return request.user.has_perm("mobilon_sms.add_smsmessage")

    def has_change_permission(self, request: HttpRequest, obj: SmsMailing | None = None) -> bool:
        """Allow nobody: a list is confirmed, or another one replaces it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SmsMailing | None = None) -> bool:
        """Allow nobody: unconfirmed lists are deleted after a day, confirmed ones stay."""
        return False

    def may_cancel(self, request: HttpRequest) -> bool:
        """Return whether this person may cancel messages."""
        return request.user.has_perm("mobilon_sms.send_smsmessage")

    def may_confirm(self, request: HttpRequest, mailing: SmsMailing) -> bool:
        """Return whether this person may send the list: who may see its texts, and its author."""
        if not self.has_add_permission(request):
            return False
        may_see = request.user.has_perm("mobilon_sms.view_smsmessage_text")
        return may_see or mailing.created_by_id == request.user.pk

    def may_read(self, request: HttpRequest, mailing: SmsMailing) -> bool:
        """Return whether this person may see the text: also the author until confirmation."""
        if request.user.has_perm("mobilon_sms.view_smsmessage_text"):
            return True
        return mailing.confirmed_at is None and mailing.created_by_id == request.user.pk

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list under its own name."""
        context = {"title": capfirst(self.opts.verbose_name_plural), "add_label": _("New mailing")}
        return super().changelist_view(request, context | (extra_context or {}))

    @admin.display(description=_("state"))
    def state(self, mailing: SmsMailing) -> Any:
        """Show whether the mailing was confirmed."""
        if mailing.confirmed_at:
            return badge("sent", _("confirmed"))
        return badge("unknown", _("waiting for confirmation"))

    @admin.display(description=_("created at"), ordering="created_at")
    def uploaded(self, mailing: SmsMailing) -> Any:
        """Show when the list was uploaded."""
        return short_moment(mailing.created_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SmsMailing]:
        """Return the mailings that are confirmed or can be, without loading their files."""
        mailings = cast("QuerySet[SmsMailing]", SmsMailing.objects.for_write().remembered())
        return mailings.defer("file", "text").order_by(*self.ordering)
