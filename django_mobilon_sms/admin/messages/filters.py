"""The filters beside the lists."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ...choices import Outcome, Priority, Resolution, Status
from ...models import SmsMailing, SmsMessage, db_now, has
from ..actions.catalogue import DECIDE
from .search import recent

#: The lookups allowed in the address: with others, a text could be guessed letter by letter.
LOOKUPS = {
    *(f"{field}__exact" for field in ("status", "priority", "error_code", "mailing")),
    *("created_at__gte", "created_at__lt"),
    *("decision", "source", "tag", "waits"),
}


#: How long a message may be overdue before somebody should look.
LONG_WAIT = timedelta(minutes=15)


#: The senders of this many newest messages are offered as choices.
NEWEST_WITH_SENDERS = 200


def chosen(changelist: ChangeList) -> list[tuple[Any, Any]]:
    """Return the title and the value of each filter that narrows the list."""
    return [
        (spec.title, choice["display"])
        for spec in changelist.filter_specs
        if set(spec.expected_parameters()) & set(changelist.filter_params)
        for choice in spec.choices(changelist)
        if choice["selected"]
    ]


class DecisionFilter(admin.SimpleListFilter):
    """By what a person decided about an unknown message."""

    title = _("decision")
    parameter_name = "decision"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the choices."""
        return [("none", _("waits for a decision")), *Resolution.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the messages that match the choice."""
        if self.value() == "none":
            return queryset.filter(DECIDE.rule)
        return queryset.filter(resolution=self.value()) if self.value() else queryset


class ErrorFilter(admin.ChoicesFieldListFilter):
    """By error code: a long list, folded until a code is chosen."""

    template = "admin/mobilon_sms/folded_filter.html"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the messages with this code, with the condition of the index that finds them."""
        indexed = queryset.filter(error_code__gt="") if self.used_parameters else queryset
        return super().queryset(request, indexed)  # type: ignore[return-value]  # only the stubs say None


class MailingFilter(admin.SimpleListFilter):
    """By the mailing that a link names; there is nothing to choose otherwise."""

    title = _("mailing")
    parameter_name = "mailing__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the mailing of the address, if it names one."""
        if not (pk := request.GET.get(self.parameter_name)):
            return []
        mailing = SmsMailing.objects.only("name").filter(pk=pk).first()
        return [(pk, mailing.tag if mailing else f"#{pk}")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the messages of the mailing."""
        return queryset.filter(mailing=self.value()) if self.value() else queryset


class SourceFilter(admin.SimpleListFilter):
    """By sender, among recent messages: no index has it, since most projects have only a few."""

    title = _("sender, last 30 days")
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the senders of the newest messages, and the one that is chosen."""
        newest = SmsMessage.objects.order_by("-pk").values_list("source", flat=True)
        sources = {*newest[:NEWEST_WITH_SENDERS], request.GET.get(self.parameter_name, "")} - {""}
        return [(source, source) for source in sorted(sources)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the recent messages of the sender."""
        return recent(queryset).filter(source=self.value()) if self.value() else queryset


class TagFilter(admin.SimpleListFilter):
    """By tag, which is typed, because there are too many to choose from."""

    title = _("tag")
    parameter_name = "tag"
    template = "admin/mobilon_sms/typed_filter.html"

    def has_output(self) -> bool:
        """Return ``True``: there is always a field to type into."""
        return True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return no choices."""
        return []

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the value of the field, the other filters, and the address without this one."""
        others = [name for name in self.request.GET if name not in (self.parameter_name, "p", "e")]
        kept = [(name, value) for name in others for value in self.request.GET.getlist(name)]
        without = changelist.get_query_string(remove=[self.parameter_name])
        value = self.value() or ""
        yield {"kept": kept, "without": without, "selected": value != "", "display": value}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the messages with exactly this tag."""
        typed = (self.value() or "").strip()
        return queryset.filter(has("tag", typed)) if typed else queryset


class WaitingFilter(admin.SimpleListFilter):
    """By whether a message is overdue."""

    title = _("waiting")
    parameter_name = "waits"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the only choice."""
        return [("long", _("waits too long: more than 15 minutes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the messages that have been overdue for too long."""
        if self.value() != "long":
            return queryset
        # All priorities are named, because the index has them before the time.
        return queryset.filter(
            status=Status.PENDING, priority__in=Priority.values, due_at__lte=db_now() - LONG_WAIT
        )


class OutcomeFilter(admin.SimpleListFilter):
    """By what the request of a batch proved, or that it may be under way."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the choices."""
        return [("none", _("under way")), *Outcome.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the batches that match the choice."""
        if self.value() == "none":
            return queryset.filter(outcome="")
        return queryset.filter(outcome=self.value()) if self.value() else queryset
