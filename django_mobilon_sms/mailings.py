"""Sending to a list: what a file would become, and writing it once.

The rows of the file are read anew wherever they are needed, so that a long list takes little
memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import router, transaction
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from . import columns, spreadsheets
from .choices import Status
from .columns import Columns
from .models import GatewayState, SmsMailing, SmsMessage, db_now, has
from .outbox import (
    COPYABLE,
    DOUBLE,
    STOPPED,
    clean,
    default_expiry,
    got_lately,
    insert_alike,
    stopped_numbers,
)
from .segments import count_segments
from .signals import wake_up_after_commit

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

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
    is_double: bool = False

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
    doubles: int = 0
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
    for chunk in _chunks(_entries(mailing)):
        numbers = {entry.number for entry in chunk if not entry.reason}
        stopped, lately = stopped_numbers(numbers, alias), got_lately(numbers, alias)
        for entry in chunk:
            if entry.number in stopped:
                yield entry._replace(reason=str(STOPPED))
            elif (entry.number, entry.text) in lately:
                yield entry._replace(reason=str(DOUBLE))
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
        yield Entry(line, typed, number, text, is_double=mark in seen)
        seen.add(mark)


def bad_rows(mailing: SmsMailing) -> Iterator[Entry]:
    """The rows that nothing can be written of."""
    return (entry for entry in entries(mailing) if entry.reason)


@sensitive_variables()
def preview(mailing: SmsMailing) -> Preview:
    """What would be written now. Raises ``ValidationError``."""
    seen = Preview(find_columns(bytes(mailing.file)))
    numbers: set[str] = set()
    for chunk in _chunks(_counted(mailing, seen)):
        recent = _recent(chunk)
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
        elif entry.is_double:
            seen.doubles += 1
        else:
            yield entry


@sensitive_variables()
def confirm(mailing: SmsMailing, *, by: AbstractBaseUser, leave_out_recent: bool) -> int | None:
    """Write the messages of the list, once, and forget its file; how many were written.

    ``None`` if it was confirmed or forgotten meanwhile: then nothing is written. All or nothing:
    raises ``ValidationError`` if the list can not be read, or what it has in common is not right
    any more, as an expiry that has passed.
    """
    alias = router.db_for_write(SmsMailing)
    rows = SmsMailing.objects.using(alias).filter(pk=mailing.pk)
    with transaction.atomic(using=alias):
        if not rows.confirm(by=by):
            return None
        prototype = _prototype(mailing, by)
        good = (each for each in entries(mailing) if not (each.reason or each.is_double))
        written = 0
        for chunk in _chunks(good):
            recent = _recent(chunk) if leave_out_recent else set()
            wanted = [
                {"number": entry.number, "text": entry.text, "segments": entry.segments}
                for entry in chunk
                if (entry.number, entry.text) not in recent
            ]
            written += insert_alike(prototype, wanted, using=alias) if wanted else 0
        rows.update(file=b"", written=written)
        wake_up_after_commit(alias)
    return written


def _prototype(mailing: SmsMailing, by: AbstractBaseUser) -> SmsMessage:
    """A message with what all of the mailing have in common. Raises ``ValidationError``."""
    now = GatewayState.objects.current().now
    cleaned = clean_common(mailing, now) | {"tag": mailing.tag, "created_by_id": by.pk}
    cleaned.setdefault("send_at", now)
    cleaned.setdefault("expires_at", default_expiry(cleaned["send_at"]))
    return SmsMessage(**cleaned, due_at=cleaned["send_at"], created_at=now)


def cancel(mailing: SmsMailing) -> int:
    """Take back what still waits of the mailing; how many messages will not be sent.

    Each chunk is a transaction of its own: what is claimed meanwhile goes out.
    """
    count = 0
    waiting = messages(mailing).filter(status=Status.PENDING).order_by("pk")
    while pks := list(waiting.values_list("pk", flat=True)[:CHUNK]):
        alias = router.db_for_write(SmsMessage)
        with transaction.atomic(using=alias):
            count += SmsMessage.objects.filter(pk__in=pks).cancel()
    return count


def messages(mailing: SmsMailing) -> Any:
    """What was written of the mailing."""
    return SmsMessage.objects.on_primary().filter(has("tag", mailing.tag))


def clean_common(mailing: SmsMailing, now: datetime) -> dict[str, Any]:
    """What all its messages have in common. Raises ``ValidationError``, as for a passed expiry."""
    given = {name: getattr(mailing, name) for name in COMMON} | {"source": mailing.source or None}
    return clean(given, lambda: now, names=COMMON)


def _no_time() -> datetime:
    raise AssertionError("No time is compared here.")


def _mark(number: str, text: str) -> bytes:
    """Sixteen bytes in place of a whole text: all rows of a file are remembered so."""
    return blake2b(f"{number} {text}".encode(), digest_size=16).digest()


def _chunks(found: Iterator[Entry]) -> Iterator[list[Entry]]:
    while chunk := list(islice(found, CHUNK)):
        yield chunk


def _recent(chunk: Sequence[Entry]) -> set[tuple[str, str]]:
    """Which of these numbers got which text lately, or will; not what has failed."""
    late = SmsMessage.objects.on_primary().filter(created_at__gte=db_now() - RECENT)
    named = late.filter(number__in={entry.number for entry in chunk})
    return set(named.exclude(status__in=COPYABLE).values_list("number", "text"))
