"""Orders from a CSV file, each with the SMS that its customer gets.

An order and its SMS are written together or not at all. The guid of the SMS is made of the
order's number, so that the same file imported again sends nothing twice.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple
from uuid import UUID, uuid5

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from django_mobilon_sms.exceptions import GuidConflict
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.outbox import send_sms

from .models import Order

ORDER_COLUMNS = ("number", "customer", "phone", "status", "total")
COLUMNS = (*ORDER_COLUMNS, "text")
#: Which column a field of the SMS comes from, where it is called otherwise.
COLUMN_OF = {"number": "phone", "tag": "number"}
#: Any other shop needs another namespace: a guid belongs to one message in the world.
NAMESPACE = UUID("0d6a3f1e-9a52-4c0b-8d44-5b1f3c7e2a90")


class BadFile(Exception):
    """The file cannot be read as orders; nothing of it was written."""


class Fault(NamedTuple):
    """What is wrong in one column of one row; ``line`` counts from 1, the header's."""

    line: int
    order: str
    column: str
    reason: str


@dataclass
class Report:
    """What an import did: how many it wrote, how many were there, which rows it skipped."""

    orders: int = 0
    messages: int = 0
    known: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def skipped(self) -> int:
        """How many rows have a fault; a row can have several."""
        return len({fault.line for fault in self.faults})


def import_orders(lines: Iterable[str]) -> Report:
    """Write the orders of a CSV file and their SMS; rows with faults are skipped and reported.

    Raises ``BadFile``.
    """
    report = Report()
    with transaction.atomic():
        for line, row in read(lines):
            try:
                order_is_new, message = write(row)
            except ValidationError as error:
                report.faults += [
                    Fault(line, row["number"], column, reason)
                    for column, reasons in error.message_dict.items()
                    for reason in reasons
                ]
            else:
                report.orders += order_is_new
                report.messages += message.was_written
                report.known += not message.was_written
    return report


def read(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with the line on which it begins, its cells under their columns' names."""
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        if missing := [column for column in COLUMNS if column not in header]:
            raise BadFile(_("The file lacks the columns: %s.") % ", ".join(missing))
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                # What is too little becomes empty, and so is named; too much has no name.
                found = dict(zip_longest(header, cells[: len(header)], fillvalue=""))
                yield line, found | {"": "".join(cells[len(header) :])}
            line = reader.line_num + 1
    except csv.Error as error:
        reason = {"line": reader.line_num, "reason": error}
        raise BadFile(_("Line %(line)d is not CSV: %(reason)s.") % reason) from error


@transaction.atomic
def write(row: Mapping[str, str]) -> tuple[bool, SmsMessage]:
    """The order, if it is not there yet, and its SMS. Raises ``ValidationError`` by column."""
    order = Order(**{column: row[column].strip() for column in ORDER_COLUMNS})
    faults = order_faults(order)
    if row[""]:
        faults["text"] = [_("The row has more cells than columns. Put the text in quotes.")]
    try:
        guid = uuid5(NAMESPACE, order.number)
        message = send_sms(order.phone, row["text"], tag=order.number, guid=guid)
    except ValidationError as error:
        faults |= {COLUMN_OF.get(name, name): found for name, found in error.message_dict.items()}
    except GuidConflict as error:
        known = _("The SMS of this order was written before, with another value here.")
        faults |= {COLUMN_OF.get(name, name): [known] for name in error.fields}
    if faults:
        raise ValidationError(faults)
    is_new = not Order.objects.filter(number=order.number).exists()
    if is_new:
        order.save()
    return is_new, message


def order_faults(order: Order) -> dict[str, list[str]]:
    """What is wrong with the order itself, by column."""
    try:
        order.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        return error.message_dict
    return {}
