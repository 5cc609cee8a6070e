"""What an uploaded list would become, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import chain, islice
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import router
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..models import GatewayState, SmsMailing, SmsMessage, db_now
from ..outbox import (
    COPYABLE,
    DUPLICATE,
    STOPPED,
    clean,
    recently_sent,
    stopped_numbers,
)
from ..segments import count_segments
from . import columns, spreadsheets
from .columns import Columns

#: Recipients of one list: what is written in the time of one request.
MOST_ROWS = 100_000


#: What all messages of a list have in common.
COMMON = ("source", "send_at", "expires_at", "priority")


#: Rows of one INSERT, and numbers of one SELECT.
CHUNK = 500

#: How many messages, and how many bad rows, a preview shows.
SHOWN = 10


SHOWN_BAD = 50


#: Who got the same text within this time is told apart.
RECENT = timedelta(hours=24)


TOO_MANY = _("There are more than %(most)d rows in this file. Split it.")


class Entry(NamedTuple):
    """A row of a list: what becomes of it, or why nothing can."""

    line: int
    typed: str
    number: str = ""
    text: str = ""
    reason: str = ""
    #: Whether an earlier row has the same number and text.
    is_duplicate: bool = False

    @property
    def segments(self) -> int:
        """The parts of its text."""
        return count_segments(self.text).count


@dataclass
class Preview:
    """What would be written of a list, by now."""

    columns: Columns
    rows: int = 0
    good: int = 0
    duplicates: int = 0
    #: Messages beyond the first to the same number, with another text.
    more: int = 0
    bad: int = 0
    parts: int = 0
    most_parts: int = 0
    recent: int = 0
    recent_parts: int = 0
    first: list[Entry] = field(default_factory=list)
    first_bad: list[Entry] = field(default_factory=list)
    first_recent: list[Entry] = field(default_factory=list)


def find_columns(data: bytes) -> Columns:
    """The columns of a file. Raises ``ValidationError`` for what is no list."""
    for _line, cells in spreadsheets.read(data):
        return columns.find(cells)
    raise spreadsheets.refusal("empty")


@sensitive_variables()
def entries(mailing: SmsMailing) -> Iterator[Entry]:
    """Each row of the mailing's file, judged as any other message would be.

    Raises ``ValidationError`` for what is wrong with all of it: no list, too many rows, an expiry
    that has passed.
    """
    alias = router.db_for_write(SmsMailing)
    for chunk in chunks(_entries(mailing)):
        numbers = {entry.number for entry in chunk if not entry.reason}
        stopped, lately = stopped_numbers(numbers, alias), recently_sent(numbers, alias)
        for entry in chunk:
            if entry.number in stopped:
                yield entry._replace(reason=str(STOPPED))
            elif (entry.number, entry.text) in lately:
                yield entry._replace(reason=str(DUPLICATE))
            else:
                yield entry


@sensitive_variables()
def _entries(mailing: SmsMailing) -> Iterator[Entry]:
    rows = spreadsheets.read(bytes(mailing.file))
    if (first := next(rows, None)) is None:
        raise spreadsheets.refusal("empty")
    found = columns.find(first[1])
    if not found.in_first_row:
        rows = chain([first], rows)
    clean_common(mailing, GatewayState.objects.current().now)
    seen: set[bytes] = set()
    for count, (line, cells) in enumerate(rows, start=1):
        if count > MOST_ROWS:
            raise ValidationError(TOO_MANY, code="too_many", params={"most": MOST_ROWS})
        typed = found.typed(cells)
        try:
            row = {"number": typed, "text": found.text(mailing.text, cells)}
            cleaned = clean(row, _no_time, names=row)
        except ValidationError as error:
            yield Entry(line, typed, reason=" ".join(error.messages))
            continue
        number, text = cleaned["number"], cleaned["text"]
        mark = _mark(number, text)
        yield Entry(line, typed, number, text, is_duplicate=mark in seen)
        seen.add(mark)


def bad_rows(mailing: SmsMailing) -> Iterator[Entry]:
    """The rows that nothing can be written of."""
    return (entry for entry in entries(mailing) if entry.reason)


@sensitive_variables()
def preview(mailing: SmsMailing) -> Preview:
    """What would be written now. Raises ``ValidationError``."""
    seen = Preview(find_columns(bytes(mailing.file)))
    numbers: set[str] = set()
    for chunk in chunks(_counted(mailing, seen)):
        recent = recent_recipients(chunk)
        for entry in chunk:
            segments = entry.segments
            seen.good += 1
            seen.parts += segments
            seen.most_parts = max(seen.most_parts, segments)
            seen.more += entry.number in numbers
            numbers.add(entry.number)
            if (entry.number, entry.text) in recent:
                seen.recent += 1
                seen.recent_parts += segments
                seen.first_recent += [entry][: SHOWN - len(seen.first_recent)]
        seen.first += chunk[: SHOWN - len(seen.first)]
    return seen


def _counted(mailing: SmsMailing, seen: Preview) -> Iterator[Entry]:
    """The rows to write; the others are counted here."""
    for entry in entries(mailing):
        seen.rows += 1
        if entry.reason:
            seen.bad += 1
            seen.first_bad += [entry][: SHOWN_BAD - len(seen.first_bad)]
        elif entry.is_duplicate:
            seen.duplicates += 1
        else:
            yield entry


def clean_common(mailing: SmsMailing, now: datetime) -> dict[str, Any]:
    """What all its messages have in common. Raises ``ValidationError``, as for a passed expiry."""
    given = {name: getattr(mailing, name) for name in COMMON} | {"source": mailing.source or None}
    return clean(given, lambda: now, names=COMMON)


def _no_time() -> datetime:
    raise AssertionError("No time is compared here.")


def _mark(number: str, text: str) -> bytes:
    """Sixteen bytes in place of a whole text: all rows of a file are remembered so."""
    return blake2b(f"{number} {text}".encode(), digest_size=16).digest()


def chunks(found: Iterator[Entry]) -> Iterator[list[Entry]]:
    while chunk := list(islice(found, CHUNK)):
        yield chunk


def recent_recipients(chunk: Sequence[Entry]) -> set[tuple[str, str]]:
    """Which of these numbers got which text lately, or will; not what has failed."""
    late = SmsMessage.objects.for_write().filter(created_at__gte=db_now() - RECENT)
    named = late.filter(number__in={entry.number for entry in chunk})
    return set(named.exclude(status__in=COPYABLE).values_list("number", "text"))
