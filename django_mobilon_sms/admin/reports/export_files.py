"""The list as a file: all that the filters leave, in CSV or XLSX, row by row."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, tzinfo
from importlib.util import find_spec
from itertools import chain
from operator import attrgetter
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

from django.db.models import QuerySet
from django.utils import formats
from django.utils.text import capfirst
from django.utils.timezone import get_current_timezone, make_naive
from django.utils.translation import gettext_lazy as _

from ...choices import ErrorCode, Priority, Resolution, Status
from ...models import SmsMessage
from ...phone_numbers import wire_number

#: Rows that are read at once.
CHUNK = 1000


#: Rows of an XLSX: it is made whole before it is sent, while the person waits.
MOST_XLSX = 50_000


#: What makes a spreadsheet take a text for a formula.
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")


#: What XML can not hold.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class Column(NamedTuple):
    """A column: its name, and what it shows of a message."""

    name: str
    value: Callable[[SmsMessage], Any]


def columns(*, with_texts: bool) -> list[Column]:
    """The columns in the language and the time zone of now.

    A file is sent when the request is over, and with it what was active.
    """
    zone = get_current_timezone()
    statuses, resolutions = _words(Status), _words(Resolution)
    priorities, errors = _words(Priority), _words(ErrorCode)

    def time(name: str) -> Column:
        field = attrgetter(name)
        return Column(name, lambda message: _local(field(message), zone))

    found = [
        # As the gateway is given it, and as an upload of recipients reads it.
        Column("number", lambda message: wire_number(message.number)),
        Column("status", lambda message: statuses[message.status]),
        Column("text", lambda message: message.text),
        Column("segments", lambda message: message.segments),
        Column("source", lambda message: message.source),
        Column("tag", lambda message: message.tag),
        Column("priority", lambda message: priorities[message.priority]),
        time("created_at"),
        Column("created_by", lambda message: str(message.created_by or "")),
        time("send_at"),
        time("sent_at"),
        time("delivered_at"),
        Column("error_code", lambda message: errors.get(message.error_code, message.error_code)),
        Column("resolution", lambda message: resolutions.get(message.resolution, "")),
        Column("resolved_by", lambda message: str(message.resolved_by or "")),
        time("resolved_at"),
        Column("gateway_id", lambda message: message.gateway_id),
        Column("guid", lambda message: str(message.guid)),
    ]
    return [column for column in found if with_texts or column.name != "text"]


class _Line:
    """A file of one line, which is handed on instead of kept."""

    def write(self, line: str) -> str:
        """The line itself."""
        return line


def knows_xlsx() -> bool:
    """Whether the extra is installed that writes it."""
    return find_spec("openpyxl") is not None


def rows(messages: QuerySet[Any], *, with_texts: bool) -> Iterator[list[Any]]:
    """The names of the columns, then each message, the newest first."""
    shown = columns(with_texts=with_texts)
    found = messages.order_by("-pk").select_related("created_by", "resolved_by")
    found = found if with_texts else found.defer("text")
    lines = ([column.value(message) for column in shown] for message in _all(found))
    return chain([[_name(column) for column in shown]], lines)


def as_csv(lines: Iterable[list[Any]]) -> Iterator[str]:
    """Lines that spreadsheets open as they are, and take no cell for a formula."""
    # The separator that a spreadsheet expects is the one that its language leaves free.
    separator = ";" if formats.get_format("DECIMAL_SEPARATOR") == "," else ","
    writer = csv.writer(_Line(), delimiter=separator)
    written = (writer.writerow([_harmless(cell) for cell in line]) for line in lines)
    return chain(["\ufeff"], written)  # by which they know UTF-8


def as_xlsx(lines: Iterable[list[Any]]) -> IO[bytes]:
    """A file in the format of Excel. Needs the extra ``xlsx``."""
    from openpyxl import Workbook  # noqa: PLC0415  an extra

    book = Workbook(write_only=True)
    sheet = book.create_sheet(str(capfirst(SmsMessage._meta.verbose_name_plural)))
    for line in lines:
        sheet.append([_as_text(sheet, cell) for cell in line])
    file = TemporaryFile()  # noqa: SIM115  the response closes it
    book.save(file)
    file.seek(0)
    return file


def _all(messages: QuerySet[Any]) -> Iterator[SmsMessage]:
    """Chunk by chunk, each after the last row of the one before.

    No database has to keep a result, and no row comes twice.
    """
    chunk = list(messages[:CHUNK])
    while chunk:
        yield from chunk
        chunk = list(messages.filter(pk__lt=chunk[-1].pk)[:CHUNK])


def _name(column: Column) -> str:
    field = SmsMessage._meta.get_field(column.name)
    return str(capfirst(field.verbose_name))  # type: ignore[union-attr]


def _words(choices: Any) -> dict[Any, str]:
    return {value: str(label) for value, label in choices.choices}


def _local(value: datetime | None, zone: tzinfo) -> datetime | None:
    return make_naive(value, zone).replace(microsecond=0) if value else None


def _as_text(sheet: Any, cell: Any) -> Any:
    """The cell; as a text, where openpyxl would make it a formula or an error."""
    if not isinstance(cell, str):
        return cell
    text = _UNPRINTABLE.sub("\ufffd", cell)
    if not text.startswith(("=", "#")):
        return text
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415  an extra

    made = WriteOnlyCell(sheet, text)
    made.data_type = "s"
    return made


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


TOO_MANY = _(
    "These are more than %(most)s messages, too many for one XLSX. Export them as CSV, or narrow"
    " the list down."
)
