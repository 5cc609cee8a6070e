"""Find messages by what a person types into the search box."""

from __future__ import annotations

import re
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
    " the newest 500,000 texts of the last 30 days; a single word must consist of letters only."
)


#: How far back messages are searched by what no index finds, and how many at most.
RECENT, MOST_RECENT = timedelta(days=30), 500_000


#: Words that are searched for in texts; those behind them are not.
MOST_WORDS = 20


#: Characters of the longest number in E.164: "+" and 15 digits.
LONGEST_NUMBER = 16


_FIRST_DIGITS = re.compile(r"(?P<plus>\+?)(?P<digits>[0-9]{3,15})")


_SEPARATORS = re.compile(r"[\s().-]")


def search(messages: QuerySet[Any], typed: str, *, in_texts: bool) -> QuerySet[Any]:
    """Return the messages with this guid, gateway id, tag, number or beginning of a number.

    If there are none, ``in_texts`` lets it search for the words in the texts of recent messages.
    """
    if "\0" in typed:  # PostgreSQL refuses such a query
        return messages.none()
    if not (term := typed.strip()):
        return messages
    if guid := _guid(term):
        return messages.filter(guid=guid)
    # Only values that exist: an OR with others would keep the database from one index in order.
    conditions = [has(name, term) for name in ("gateway_id", "tag") if _exists(name, term)]
    if number := _number(term):
        conditions.append(number)
    if conditions:
        return messages.filter(reduce(or_, conditions))
    words = term.split()[:MOST_WORDS]
    # A single word with digits is a gateway id or a tag that does not exist.
    if in_texts and (len(words) > 1 or term.isalpha()):
        return recent(messages).filter(Q.create([("text__icontains", word) for word in words]))
    return messages.none()


def recent(messages: QuerySet[Any]) -> QuerySet[Any]:
    """Return the messages of the last 30 days, at most the newest 500,000.

    For searches without an index. They are found by the primary key, which orders the list, so that
    the database reads no older row on the way.
    """
    rows = SmsMessage.objects.filter(created_at__gte=db_now() - RECENT)
    oldest = rows.order_by("created_at").values_list("pk", flat=True).first()
    newest = SmsMessage.objects.order_by("pk").values_list("pk", flat=True).last()
    if oldest is None or newest is None:
        return messages.none()
    return messages.filter(pk__gte=max(oldest, newest - MOST_RECENT + 1))


def _exists(name: str, value: str) -> bool:
    # Ordered, because for a frequent value a planner may otherwise read the whole table.
    rows = SmsMessage.objects.filter(has(name, value)).order_by("pk")
    return bool(rows.values_list("pk")[:1])


def _guid(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None


def _number(term: str) -> Q | None:
    """Return the condition for a whole number as people type it, or for its first digits."""
    try:
        return Q(number=normalize_number(term, allowed=r"\+[0-9]+"))
    except ValidationError:
        match = _FIRST_DIGITS.fullmatch(_SEPARATORS.sub("", term))
    if match is None:
        return None
    digits = match["digits"]
    national = digits[1:] if digits[0] in "78" else digits
    first = match[0] if match["plus"] else f"+7{national}"
    # A range and not LIKE, for which PostgreSQL would need an index of its own.
    return Q(number__range=(first, first.ljust(LONGEST_NUMBER, "9")))
