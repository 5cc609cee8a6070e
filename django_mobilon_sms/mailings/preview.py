"""Preview of an uploaded list: the messages it would become, before any is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from itertools import chain, count
from operator import attrgetter
from typing import Any, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..conf import conf
from ..models import SmsMailing, chunked
from ..outbox import (
    DUPLICATE,
    STOPPED,
    HourlyRoom,
    Past,
    clean,
    confined,
    recently_sent,
    stopped_numbers,
)
from . import spreadsheets
from .columns import Columns, find
from .placeholders import Template

#: Recipients of one list: as many as one request can write in its time.
MAX_LIST_ROWS = 100_000

#: Fields that all messages of a list share.
COMMON = ("source", "send_at", "expires_at", "priority")

#: Entries that a preview shows of each kind.
MAX_SHOWN = 10
MAX_SHOWN_BAD = 50

#: A person may leave out recipients who got the same text within this time, in seconds.
RECENT = timedelta(hours=24).total_seconds()

TOO_MANY = _("This file has more than %(most)d rows. Split it.")


class Entry(NamedTuple):
    """A row of a list: the message it becomes, or the reason why it becomes none."""

    line: int
    typed: str
    number: str = ""
    text: str = ""
    segments: int = 0
    reason: str = ""
    #: Whether an earlier row has the same number and text.
    is_duplicate: bool = False

    @property
    def is_good(self) -> bool:
        """Whether a message is written for this row."""
        return not (self.reason or self.is_duplicate)


@dataclass
class Preview:
    """Counts and first entries of a list, as of now."""

    columns: Columns
    rows: int = 0
    good: int = 0
    duplicates: int = 0
    bad: int = 0
    #: Good entries whose number an earlier one has too, with another text.
    same_number: int = 0
    #: Good entries whose recipient got the same text recently.
    recent: int = 0
    segments: int = 0
    max_segments: int = 0
    first_good: list[Entry] = field(default_factory=list)
    first_bad: list[Entry] = field(default_factory=list)
    first_recent: list[Entry] = field(default_factory=list)


@sensitive_variables()
def preview(mailing: SmsMailing) -> Preview:
    """Return the preview of a mailing. Raises ``ValidationError`` like ``entries()``."""
    read = _read(bytes(mailing.file))
    result = Preview(read[0])
    numbers: set[str] = set()
    for chunk in chunked(_judged(mailing, *read)):
        recent = recently(mailing, chunk)
        for entry in chunk:
            result.rows += 1
            if entry.reason:
                result.bad += 1
                _append(entry, result.first_bad, MAX_SHOWN_BAD)
            elif entry.is_duplicate:
                result.duplicates += 1
            else:
                result.same_number += entry.number in numbers
                numbers.add(entry.number)
                _count_good(entry, result, is_recent=(entry.number, entry.text) in recent)
    return result


def recently(mailing: SmsMailing, chunk: Iterable[Entry]) -> set[tuple[str, str]]:
    """Return each number and text that recipients of these entries got recently.

    Only as far as the author of the list may know about them.
    """
    numbers = {entry.number for entry in chunk if entry.is_good}
    return recently_sent(numbers, RECENT, confined_to=confined(mailing.created_by))


def _count_good(entry: Entry, result: Preview, *, is_recent: bool) -> None:
    result.good += 1
    result.segments += entry.segments
    result.max_segments = max(result.max_segments, entry.segments)
    _append(entry, result.first_good, MAX_SHOWN)
    if is_recent:
        result.recent += 1
        _append(entry, result.first_recent, MAX_SHOWN)


def _append(entry: Entry, shown: list[Entry], most: int) -> None:
    if len(shown) < most:
        shown.append(entry)


def bad_rows(mailing: SmsMailing) -> Iterator[Entry]:
    """Return the entries that become no message because something is wrong with them."""
    return filter(attrgetter("reason"), entries(mailing))


@sensitive_variables()
def entries(mailing: SmsMailing) -> Iterator[Entry]:
    """Return an entry for each row of the mailing's file, by the rules of any other message.

    Raises ``ValidationError`` for an error of the whole list: an unreadable file, too many rows,
    an expiry that has passed.
    """
    return _judged(mailing, *_read(bytes(mailing.file)))


# The next functions are no generators: Django's reports of errors hide the variables of a function
# that is marked, and cannot hide those of a generator.


def _judged(
    mailing: SmsMailing, columns: Columns, rows: Iterator[spreadsheets.Row]
) -> Iterator[Entry]:
    judge = partial(_judge, author=confined(mailing.created_by), room=HourlyRoom())
    return chain.from_iterable(map(judge, chunked(_entries(mailing, columns, rows))))


@sensitive_variables()
def _judge(
    chunk: Sequence[Entry], *, author: AbstractBaseUser | None, room: HourlyRoom
) -> list[Entry]:
    """Return these entries, with the reasons that the database has against them."""
    numbers = {entry.number for entry in chunk if not entry.reason}
    stopped = stopped_numbers(numbers)
    duplicates = recently_sent(numbers, conf.DUPLICATE_WITHIN, confined_to=author)
    room.look_up(numbers)

    def judged(entry: Entry) -> Entry:
        if entry.number in stopped:
            return entry._replace(reason=str(STOPPED))
        if (entry.number, entry.text) in duplicates:
            return entry._replace(reason=str(DUPLICATE))
        if entry.is_good and (reason := room.take(entry.number)):
            return entry._replace(reason=reason)
        return entry

    return list(map(judged, chunk))


def _entries(
    mailing: SmsMailing, columns: Columns, rows: Iterator[spreadsheets.Row]
) -> Iterator[Entry]:
    clean_common(mailing)
    template = Template(mailing.text, columns)
    return map(partial(_entry, columns=columns, template=template, seen=set()), count(1), rows)


@sensitive_variables()
def _entry(
    place: int, row: spreadsheets.Row, *, columns: Columns, template: Template, seen: set[bytes]
) -> Entry:
    """Return the entry of a row. ``seen`` has the digests of those before it, and gets its own."""
    if place > MAX_LIST_ROWS:
        raise ValidationError(TOO_MANY, code="too_many", params={"most": MAX_LIST_ROWS})
    line, cells = row
    typed = columns.number_cell(cells)
    try:
        values = {"number": typed, "text": template.fill(cells)}
        fields = clean(values, names=values)
    except ValidationError as error:
        return Entry(line, typed, reason=" ".join(error.messages))
    digest = _digest(fields["number"], fields["text"])
    entry = Entry(line, typed, **fields, is_duplicate=digest in seen)
    seen.add(digest)
    return entry


def _read(data: bytes) -> tuple[Columns, Iterator[spreadsheets.Row]]:
    """Return the columns of a file, and the rows of its recipients."""
    rows = spreadsheets.read(data)
    if (first := next(rows, None)) is None:
        raise spreadsheets.refusal("empty")
    found = find(first[1])
    return found, rows if found.in_first_row else chain([first], rows)


def find_columns(data: bytes) -> Columns:
    """Return the columns of a file. Raises ``ValidationError`` for a file that is no list."""
    return _read(data)[0]


def clean_common(mailing: SmsMailing, *, past: Past = "now") -> dict[str, Any]:
    """Return the fields that all its messages share. Raises ``ValidationError``."""
    given = {name: getattr(mailing, name) for name in COMMON} | {"source": mailing.source or None}
    return clean(given, names=COMMON, past=past)


def _digest(number: str, text: str) -> bytes:
    """Return 16 bytes for a whole text, to keep those of a whole file in memory."""
    return blake2b(f"{number} {text}".encode(), digest_size=16).digest()
