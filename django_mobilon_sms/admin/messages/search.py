"""Finding messages by what a person types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from ...models import SmsMessage, db_now, has
from ...phone_numbers import normalize_number

HELP = _("A number or its first digits, a guid, a gateway id, or a tag.")


HELP_WITH_TEXT = _(
    "A number or its first digits, a guid, a gateway id, or a tag. Other words are searched for in"
    " the texts of the last 30 days, a single one only if it has nothing but letters."
)


#: How old a message may be that no index finds: each is read.
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
    return late(messages).filter(Q.create([("text__icontains", word) for word in words]))


def late(messages: QuerySet[Any]) -> QuerySet[Any]:
    """Those of the last 30 days, by the primary key, in whose order the list goes.

    For what no index finds: no older row is read on the way.
    """
    rows = SmsMessage.objects.filter(created_at__gte=db_now() - TEXTS_SINCE)
    oldest = rows.order_by("created_at").values_list("pk", flat=True).first()
    return messages.none() if oldest is None else messages.filter(pk__gte=oldest)


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
