"""The stop list: numbers that no message is sent to, whoever writes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connections, router, transaction
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..choices import ErrorCode
from ..models import ROWS_PER_STATEMENT, SmsMessage, StoppedNumber, chunked
from ..phone_numbers import ANY_NUMBER, normalize_number

STOPPED = _("This number is on the stop list.")

#: Characters of a note.
MAX_NOTE = 200

#: Bad lines that ``read_numbers()`` names.
MAX_BAD_LINES = 10


class Stopped(NamedTuple):
    """The count of numbers new to the list, and of messages cancelled."""

    added: int
    cancelled: int


@sensitive_variables()
def stop(numbers: Iterable[str], *, note: str = "", by: AbstractBaseUser | None = None) -> Stopped:
    """Add numbers to the stop list and cancel their pending messages, in one transaction.

    Numbers are accepted as people type them. A number already on the list keeps its note.
    Raises ``ValidationError`` for the first invalid number, or for the note.
    """
    clean_note(note)
    wanted = list(dict.fromkeys(normalize_number(one, allowed=ANY_NUMBER) for one in numbers))
    try:
        return _stop(wanted, note, by)
    except IntegrityError:  # another transaction added one of the numbers meanwhile
        return _stop(wanted, note, by)


def clean_note(note: object) -> str:
    """Return the note. Raise ``ValidationError`` for one that cannot be kept."""
    if not isinstance(note, str) or len(note) > MAX_NOTE or not note.isprintable():
        message = _("Write a note of at most 200 printable characters.")
        raise ValidationError(message, code="invalid")
    return note


@sensitive_variables()
def take_off(numbers: Iterable[str]) -> int:
    """Take numbers off the stop list and return how many were on it.

    Numbers are accepted as people type them. Raises ``ValidationError`` for the first invalid one.
    """
    wanted = {normalize_number(one, allowed=ANY_NUMBER) for one in numbers}
    alias = router.db_for_write(StoppedNumber)
    with transaction.atomic(using=alias):
        count = 0
        for chunk in chunked(wanted):
            count += StoppedNumber.objects.using(alias).filter(number__in=chunk).delete()[0]
    return count


def stopped_numbers(numbers: Iterable[str]) -> set[str]:
    """Return those of these numbers that are on the stop list."""
    connection: Any = connections[router.db_for_write(StoppedNumber)]
    column, table = map(connection.ops.quote_name, ("number", StoppedNumber._meta.db_table))
    found: set[str] = set()
    with connection.cursor() as cursor:
        for chunk in chunked(numbers):
            # No query set: to build one takes longer than the search, and each message needs it.
            condition, parameters = _one_of(chunk, connection.vendor)
            sql = f"SELECT {column} FROM {table} WHERE {column} {condition}"  # noqa: S608  names
            cursor.execute(sql, parameters)
            found.update(number for (number,) in cursor.fetchall())
    return found


def _one_of(numbers: list[str], vendor: str) -> tuple[str, list[Any]]:
    if vendor == "postgresql":
        return "= ANY(%s)", [numbers]
    return f"IN ({', '.join(['%s'] * len(numbers))})", list(numbers)


def to_stopped_numbers(new: Sequence[SmsMessage]) -> dict[UUID, ValidationError]:
    """Return an error, by guid, for each new message to a number on the stop list."""
    stopped = stopped_numbers({message.number for message in new})
    return {
        message.guid: ValidationError({"number": ValidationError(STOPPED, code="stopped")})
        for message in new
        if message.number in stopped
    }


def _stop(numbers: Sequence[str], note: str, by: AbstractBaseUser | None) -> Stopped:
    alias = router.db_for_write(StoppedNumber)
    # Read before the transaction, because on SQLite a transaction that reads first cannot write
    # when another one wrote meanwhile.
    known = stopped_numbers(numbers)
    fields: dict[str, Any] = {"note": note, "created_by": by}
    new = [StoppedNumber(number=number, **fields) for number in numbers if number not in known]
    with transaction.atomic(using=alias):
        StoppedNumber.objects.using(alias).bulk_create(new, batch_size=ROWS_PER_STATEMENT)
        return Stopped(len(new), sum(map(partial(_cancel, by=by), chunked(numbers))))


def _cancel(numbers: Sequence[str], by: AbstractBaseUser | None) -> int:
    rows = SmsMessage.objects.for_write().filter(number__in=numbers)
    return rows.cancel(by=by, error_code=ErrorCode.STOP_LIST)


@sensitive_variables()
def read_numbers(text: str) -> list[str]:
    """Return the numbers of a list or a table: the first column of each line that is not empty.

    Raises ``ValidationError`` with a message for each bad line, at most ``MAX_BAD_LINES``. A
    message names the line by its place and never repeats its content.
    """
    numbers, errors = [], []
    for place, line in enumerate(text.splitlines(), start=1):
        cell = line.replace(";", ",").replace("\t", ",").partition(",")[0].strip(' "')
        if not line.strip():
            continue
        try:
            numbers.append(normalize_number(cell, allowed=ANY_NUMBER))
        except ValidationError as error:
            params = {"line": place, "fault": error.messages[0]}
            errors.append(ValidationError(_("Line %(line)d: %(fault)s") % params, code="line"))
            if len(errors) == MAX_BAD_LINES:
                break
    if errors:
        raise ValidationError(errors)
    return numbers
