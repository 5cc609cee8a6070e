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
from ...models import SmsMessage, db_now, has
from .search import late

#: What filters may be named in the address: with others a text could be guessed letter by letter.
LOOKUPS = frozenset(
    {
        "status__exact",
        "priority__exact",
        "error_code__exact",
        "created_at__gte",
        "created_at__lt",
        "decision",
        "source",
        "tag",
        "waits",
    }
)


#: How long a message may wait after its time before somebody should look.
TOO_LONG = timedelta(minutes=15)


#: Of so many newest messages the senders are offered.
NEWEST = 200


class DecisionFilter(admin.SimpleListFilter):
    """What a person has decided about what nobody can prove."""

    title = _("decision")
    parameter_name = "decision"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The words to choose from."""
        return [("none", _("waits for a decision")), *Resolution.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The messages of the word chosen."""
        if self.value() == "none":
            return queryset.filter(status=Status.UNKNOWN, resolution="")
        return queryset.filter(resolution=self.value()) if self.value() else queryset


class ErrorFilter(admin.ChoicesFieldListFilter):
    """By error code: a long list, folded until it is used."""

    template = "admin/mobilon_sms/folded_filter.html"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The messages of the code chosen, with the condition of the index that finds them."""
        known = queryset.filter(error_code__gt="") if self.used_parameters else queryset
        return super().queryset(request, known)  # type: ignore[return-value]  # None is the stubs' word only


class SourceFilter(admin.SimpleListFilter):
    """By sender, of late messages: no index has it, since most projects have but a few."""

    title = _("sender, last 30 days")
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The senders of the newest messages, and the one that is chosen."""
        newest = SmsMessage.objects.order_by("-pk").values_list("source", flat=True)[:NEWEST]
        found = {*newest, request.GET.get(self.parameter_name, "")} - {""}
        return [(source, source) for source in sorted(found)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The late messages of the sender chosen."""
        return late(queryset).filter(source=self.value()) if self.value() else queryset


class TagFilter(admin.SimpleListFilter):
    """By tag: too many to choose from, so it is typed."""

    title = _("tag")
    parameter_name = "tag"
    template = "admin/mobilon_sms/typed_filter.html"

    def has_output(self) -> bool:
        """There is always a field to type into."""
        return True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """No words to choose from."""
        return []

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """The field, with what else the address says, and the way to the list without it."""
        ignored = (self.parameter_name, "p", "e")
        kept = [
            (name, value)
            for name, values in self.request.GET.lists()
            if name not in ignored
            for value in values
        ]
        without = changelist.get_query_string(remove=[self.parameter_name])
        yield {"kept": kept, "value": self.value() or "", "without": without}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The messages with exactly this tag."""
        typed = (self.value() or "").strip()
        return queryset.filter(has("tag", typed)) if typed else queryset


class WaitingFilter(admin.SimpleListFilter):
    """What should have gone out by now, and has not."""

    title = _("waiting")
    parameter_name = "waits"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """One word to choose."""
        return [("long", _("waits too long: more than 15 minutes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The messages that should have gone out some time ago."""
        if self.value() != "long":
            return queryset
        # All priorities are named, because the index has them before the time.
        late_since = db_now() - TOO_LONG
        return queryset.filter(
            status=Status.PENDING, priority__in=Priority.values, due_at__lte=late_since
        )


class OutcomeFilter(admin.SimpleListFilter):
    """What a batch's POST proved; also those without an outcome yet."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The words to choose from."""
        return [("none", _("under way")), *Outcome.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The batches of the word chosen."""
        if self.value() == "none":
            return queryset.filter(outcome="")
        return queryset.filter(outcome=self.value()) if self.value() else queryset
