"""The rows of an exported file: all messages that the filters of the list leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.timezone import get_current_timezone, make_naive
from django.utils.translation import gettext

from ...choices import ErrorCode, Priority, Resolution, Status
from ...models import SmsMessage
from ...phone_numbers import wire_number

#: Messages that one SELECT reads.
ROWS_PER_QUERY = 1000

#: Messages in an XLSX file, which is complete only before it is sent, while the operator waits.
MAX_XLSX_ROWS = 50_000

#: The fields that hold a person.
PEOPLE = ("created_by", "resolved_by", "resent_by", "cancelled_by")


class Column(NamedTuple):
    """A column: the field of a message that it shows, and how."""

    name: str
    value: Callable[[SmsMessage], Any]

    @property
    def title(self) -> str:
        """The heading of the column."""
        if self.name == "segments":  # "parts" is a word of the pages only
            return gettext("Segments")
        field = SmsMessage._meta.get_field(self.name)
        return str(capfirst(field.verbose_name))  # type: ignore[union-attr]


def rows(messages: QuerySet[Any], *, with_texts: bool) -> Iterator[list[Any]]:
    """Return the headings, then a row for each message, the newest first."""
    columns = _columns(with_texts=with_texts)
    messages = messages.order_by("-pk").select_related(*PEOPLE)
    messages = messages if with_texts else messages.defer("text")
    cells = ([column.value(message) for column in columns] for message in _all(messages))
    return chain([[column.title for column in columns]], cells)


def _columns(*, with_texts: bool) -> list[Column]:
    """Return the columns in the current language and time zone.

    Both are read now because a streamed file is sent after the request, when they are reset.
    """
    zone = get_current_timezone()
    statuses, resolutions = _labels(Status), _labels(Resolution)
    priorities, errors = _labels(Priority), _labels(ErrorCode)

    def time(name: str) -> Column:
        field = attrgetter(name)
        return Column(name, lambda message: _local(field(message), zone))

    def person(name: str) -> Column:
        field = attrgetter(name)
        return Column(name, lambda message: str(field(message) or ""))

    columns = [
        # As an upload of recipients reads it, and without a "+" that looks like a formula.
        Column("number", lambda message: wire_number(message.number)),
        Column("status", lambda message: statuses[message.status]),
        Column("text", attrgetter("text")),
        Column("segments", attrgetter("segments")),
        Column("source", attrgetter("source")),
        Column("tag", attrgetter("tag")),
        Column("priority", lambda message: priorities[message.priority]),
        time("created_at"),
        person("created_by"),
        time("send_at"),
        time("sent_at"),
        time("delivered_at"),
        Column("error_code", lambda message: errors.get(message.error_code, message.error_code)),
        Column("resolution", lambda message: resolutions.get(message.resolution, "")),
        person("resolved_by"),
        time("resolved_at"),
        person("resent_by"),
        time("resent_at"),
        person("cancelled_by"),
        time("cancelled_at"),
        Column("gateway_id", attrgetter("gateway_id")),
        Column("guid", lambda message: str(message.guid)),
    ]
    return [column for column in columns if with_texts or column.name != "text"]


def _all(messages: QuerySet[Any]) -> Iterator[SmsMessage]:
    """Read the messages by their primary key, some at a time.

    The database need not keep a long result, and no message comes twice.
    """
    found = list(messages[:ROWS_PER_QUERY])
    while found:
        yield from found
        found = list(messages.filter(pk__lt=found[-1].pk)[:ROWS_PER_QUERY])


def _labels(choices: Any) -> dict[Any, str]:
    return {value: str(label) for value, label in choices.choices}


def _local(value: datetime | None, zone: tzinfo) -> datetime | None:
    return make_naive(value, zone).replace(microsecond=0) if value else None
