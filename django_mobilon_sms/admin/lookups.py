"""Finding messages: what a person types, and the filters beside the list."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..choices import Outcome, Resolution, Status
from ..phone_numbers import normalize_number

#: What filters may be named in the address: with others a text could be guessed letter by letter.
LOOKUPS = frozenset(
    {
        "status__exact",
        "priority__exact",
        "error_code__exact",
        "created_at__gte",
        "created_at__lt",
        "decision",
    }
)

HELP = _("A number or its first digits, a guid, a gateway id, or a tag.")
HELP_WITH_TEXT = _("A number or its first digits, a guid, a gateway id, a tag, or words of a text.")

_BEGINNING = re.compile(r"(?P<plus>\+?)(?P<digits>[0-9]{3,15})")
_SEPARATORS = re.compile(r"[\s().-]")


def search(messages: QuerySet[Any], typed: str, *, in_texts: bool) -> QuerySet[Any]:
    """The messages with this guid, gateway id, tag, number or beginning of a number.

    With ``in_texts`` also those whose text holds every word.
    """
    if "\0" in typed:  # no database has one, and PostgreSQL is not even asked
        return messages.none()
    if not (term := typed.strip()):
        return messages
    if guid := _guid(term):
        return messages.filter(guid=guid)
    found = Q(gateway_id=term) | Q(tag=term) | _number(term)
    if in_texts:
        found |= Q.create([("text__icontains", word) for word in term.split()])
    return messages.filter(found)


def _guid(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None


def _number(term: str) -> Q:
    """A whole number as people type it, or at least its first digits."""
    try:
        return Q(number=normalize_number(term, allowed=r"\+[0-9]+"))
    except ValidationError:
        match = _BEGINNING.fullmatch(_SEPARATORS.sub("", term))
    if match is None:
        return Q(pk__in=[])
    if match["plus"]:
        return Q(number__startswith=match[0])
    national = match["digits"][1:] if match["digits"][0] in "78" else match["digits"]
    return Q(number__startswith=f"+7{national}")


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
