"""Finding messages: what a person types, and the filters beside the list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..choices import Outcome, Resolution, Status
from ..clock import db_now
from ..models import SmsMessage
from ..phone_numbers import normalize_number
from ..querysets import has

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
HELP_WITH_TEXT = _(
    "A number or its first digits, a guid, a gateway id, or a tag. Other words are searched for in"
    " the texts of the last 30 days, a single one only if it has nothing but letters."
)
#: How old a text may be that is searched: no index finds words, so each text is read.
TEXTS_SINCE = timedelta(days=30)

#: Of "+" and 15 digits, as E.164 has it.
LONGEST_NUMBER = 16

_BEGINNING = re.compile(r"(?P<plus>\+?)(?P<digits>[0-9]{3,15})")
_SEPARATORS = re.compile(r"[\s().-]")


def search(messages: QuerySet[Any], typed: str, *, in_texts: bool) -> QuerySet[Any]:
    """The messages with this guid, gateway id, tag, number or beginning of a number.

    What is none of these are words. With ``in_texts``, they are searched for in late texts.
    """
    if "\0" in typed:  # no database has one, and PostgreSQL is not even asked
        return messages.none()
    if not (term := typed.strip()):
        return messages
    if guid := _guid(term):
        return messages.filter(guid=guid)
    # An OR of what is not there would keep the database from reading one index in order.
    found = [has(name, term) for name in ("gateway_id", "tag") if _is_there(name, term)]
    if number := _number(term):
        found.append(number)
    if found:
        return messages.filter(reduce(or_, found))
    if in_texts and _are_words(term):
        return _with_words(messages, term.split())
    return messages.none()


def _is_there(name: str, value: str) -> bool:
    # Unordered, the first row of a value that many have may be looked for in the whole table.
    rows = SmsMessage.objects.filter(has(name, value)).order_by("pk")
    return bool(rows.values_list("pk")[:1])


def _are_words(term: str) -> bool:
    """Whether it is more than a gateway id or a tag that is not there."""
    return len(term.split()) > 1 or term.isalpha()


def _with_words(messages: QuerySet[Any], words: Sequence[str]) -> QuerySet[Any]:
    late = SmsMessage.objects.filter(created_at__gte=db_now() - TEXTS_SINCE)
    oldest = late.order_by("created_at").values_list("pk", flat=True).first()
    if oldest is None:
        return messages.none()
    # By the primary key, in whose order the list goes: no older row is read on the way.
    in_text = Q.create([("text__icontains", word) for word in words])
    return messages.filter(in_text, pk__gte=oldest)


def _guid(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None


def _number(term: str) -> Q | None:
    """A whole number as people type it, or at least its first digits."""
    try:
        return Q(number=normalize_number(term, allowed=r"\+[0-9]+"))
    except ValidationError:
        match = _BEGINNING.fullmatch(_SEPARATORS.sub("", term))
    if match is None:
        return None
    digits = match["digits"]
    national = digits[1:] if digits[0] in "78" else digits
    first = match[0] if match["plus"] else f"+7{national}"
    # A range and not LIKE, for which PostgreSQL would need an index of its own.
    return Q(number__range=(first, first.ljust(LONGEST_NUMBER, "9")))


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
