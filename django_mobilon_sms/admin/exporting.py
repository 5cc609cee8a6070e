"""The list as a file: all that the filters leave, in CSV or XLSX, row by row."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from importlib.util import find_spec
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

from django.db.models import QuerySet
from django.utils import formats
from django.utils.text import capfirst
from django.utils.timezone import make_naive
from django.utils.translation import gettext_lazy as _

from ..models import SmsMessage
from ..phone_numbers import wire_number
from .shown import sentence

#: Rows that are read at once.
CHUNK = 1000
#: Rows of an XLSX: it is made whole before it is sent, while the person waits.
MOST_XLSX = 100_000
#: What makes a spreadsheet take a text for a formula.
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
#: What XML can not hold.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class Column(NamedTuple):
    """A column: its name, and what it shows of a message."""

    name: Any
    value: Callable[[SmsMessage], Any]


TEXT = Column("text", lambda message: message.text)
COLUMNS = (
    # As the gateway is given it, and as an upload of recipients reads it.
    Column("number", lambda message: wire_number(message.number)),
    Column("status", lambda message: str(message.get_status_display())),
    TEXT,
    Column("segments", lambda message: message.segments),
    Column("source", lambda message: message.source),
    Column("tag", lambda message: message.tag),
    Column("priority", lambda message: str(message.get_priority_display())),
    Column("created_at", lambda message: message.created_at),
    Column("created_by", lambda message: str(message.created_by or "")),
    Column("send_at", lambda message: message.send_at),
    Column("sent_at", lambda message: message.sent_at),
    Column("delivered_at", lambda message: message.delivered_at),
    Column(
        "error_code",
        lambda message: str(sentence(message.error_code)) if message.error_code else "",
    ),
    Column("resolution", lambda message: str(message.get_resolution_display())),
    Column("resolved_by", lambda message: str(message.resolved_by or "")),
    Column("resolved_at", lambda message: message.resolved_at),
    Column("gateway_id", lambda message: message.gateway_id),
    Column("guid", lambda message: str(message.guid)),
)


class _Line:
    """A file of one line, which is handed on instead of kept."""

    def write(self, line: str) -> str:
        """The line itself."""
        return line


def knows_xlsx() -> bool:
    """Whether the extra is installed that writes it."""
    return find_spec("openpyxl") is not None


def rows(messages: QuerySet[Any], *, with_texts: bool) -> Iterator[list[Any]]:
    """The names of the columns, then each message, the newest first.

    Chunk by chunk, each after the last row of the one before: no database has to keep a result,
    and no row comes twice.
    """
    columns = [column for column in COLUMNS if with_texts or column is not TEXT]
    yield [_name(column) for column in columns]
    messages = messages.order_by("-pk").select_related("created_by", "resolved_by")
    messages = messages if with_texts else messages.defer("text")
    chunk = list(messages[:CHUNK])
    while chunk:
        for message in chunk:
            yield [_local(column.value(message)) for column in columns]
        chunk = list(messages.filter(pk__lt=chunk[-1].pk)[:CHUNK])


def as_csv(lines: Iterable[list[Any]]) -> Iterator[str]:
    """Lines that spreadsheets open as they are, and take no cell for a formula."""
    # The separator that a spreadsheet expects is the one that its language leaves free.
    separator = ";" if formats.get_format("DECIMAL_SEPARATOR") == "," else ","
    writer = csv.writer(_Line(), delimiter=separator)
    yield "\ufeff"  # by which they know UTF-8
    for line in lines:
        yield writer.writerow([_harmless(cell) for cell in line])


def as_xlsx(lines: Iterable[list[Any]]) -> IO[bytes]:
    """A file in the format of Excel. Needs the extra ``xlsx``."""
    from openpyxl import Workbook  # noqa: PLC0415  an extra
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415

    book = Workbook(write_only=True)
    sheet = book.create_sheet(str(capfirst(SmsMessage._meta.verbose_name_plural)))
    for line in lines:
        cells = []
        for value in line:
            if not isinstance(value, str):
                cells.append(value)
                continue
            cell = WriteOnlyCell(sheet, _UNPRINTABLE.sub("\ufffd", value))
            cell.data_type = "s"  # a text, whatever it begins with
            cells.append(cell)
        sheet.append(cells)
    file = TemporaryFile()  # noqa: SIM115  the response closes it
    book.save(file)
    file.seek(0)
    return file


def _name(column: Column) -> str:
    field = SmsMessage._meta.get_field(column.name)
    return str(capfirst(field.verbose_name))  # type: ignore[union-attr]


def _local(value: Any) -> Any:
    return make_naive(value).replace(microsecond=0) if isinstance(value, datetime) else value


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


TOO_MANY = _(
    "These are more than %(most)s messages, too many for one XLSX. Export them as CSV, or narrow"
    " the list down."
)
