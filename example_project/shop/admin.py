"""Orders in the admin: their status changes by actions, each with its SMS."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from .models import Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """The list of orders; a status is never typed, so that no customer is forgotten."""

    actions = ("mark_paid", "mark_shipped", "mark_ready", "mark_closed")
    list_display = ("number", "customer", "phone", "status", "total")
    list_filter = ("status",)
    search_fields = ("number", "customer", "phone")
    readonly_fields = ("status",)
    ordering = ("-number",)

    def has_notify_permission(self, request: HttpRequest) -> bool:
        """Whether this person may change an order, and notify its customer."""
        may_write = request.user.has_perm("mobilon_sms.add_smsmessage")
        return may_write and self.has_change_permission(request)

    @admin.action(description=gettext_lazy("Paid: notify the customer"), permissions=["notify"])
    def mark_paid(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Move to paid."""
        self.move(request, queryset, Order.Status.PAID)

    @admin.action(description=gettext_lazy("Shipped: notify the customer"), permissions=["notify"])
    def mark_shipped(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Move to shipped."""
        self.move(request, queryset, Order.Status.SHIPPED)

    @admin.action(description=gettext_lazy("Ready: notify the customer"), permissions=["notify"])
    def mark_ready(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Move to ready."""
        self.move(request, queryset, Order.Status.READY)

    @admin.action(description=gettext_lazy("Closed: notify the customer"), permissions=["notify"])
    def mark_closed(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Move to closed."""
        self.move(request, queryset, Order.Status.CLOSED)

    def move(self, request: HttpRequest, orders: QuerySet[Order], new: Order.Status) -> None:
        """Each order for itself; says how many were moved, how many skipped, and what failed."""
        moved = skipped = 0
        for order in orders:
            try:
                message = order.change_status(new, by=request.user)
            except ValidationError as error:
                reason = {"order": order.number, "reason": " ".join(error.messages)}
                text = _("Order %(order)s was left as it was: %(reason)s") % reason
                self.message_user(request, text, messages.ERROR)
            else:
                moved += message is not None
                skipped += message is None
        self.count(request, moved, skipped)

    def count(self, request: HttpRequest, moved: int, skipped: int) -> None:
        """The outcome in one or two lines."""
        if moved:
            text = ngettext(
                "%d order moved on, its SMS waits for the worker.",
                "%d orders moved on, their SMS wait for the worker.",
                moved,
            )
            self.message_user(request, text % moved, messages.SUCCESS)
        if skipped:
            text = ngettext(
                "%d order is that far already.", "%d orders are that far already.", skipped
            )
            self.message_user(request, text % skipped, messages.WARNING)
