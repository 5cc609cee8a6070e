"""The stop list: numbers that nothing is sent to, on whatever way a message would go."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, router, transaction
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..choices import ErrorCode, Status
from ..models import SmsMessage, StoppedNumber
from ..phone_numbers import ANY_NUMBER, normalize_number

STOPPED = _("This number is on the stop list.")


def stopped_numbers(numbers: Collection[str], alias: str) -> set[str]:
    """Which of these numbers, at most ``CHUNK``, are on the stop list."""
    rows = StoppedNumber.objects.using(alias).filter(number__in=numbers)
    return set(rows.values_list("number", flat=True))


def is_stopped() -> ValidationError:
    return ValidationError({"number": ValidationError(STOPPED, code="stopped")})


#: How many numbers one statement carries.
CHUNK = 1000


class Stopped(NamedTuple):
    """How many numbers were new to the list, and how many messages were cancelled."""

    added: int
    cancelled: int


@sensitive_variables()
def stop(numbers: Iterable[str], *, note: str = "", by: AbstractBaseUser | None = None) -> Stopped:
    """Send nothing to these numbers any more, and cancel what waits for them, in one transaction.

    Numbers are taken as people type them; those on the list already keep their note. Raises
    ``ValidationError`` for a number that is none.
    """
    wanted = list(dict.fromkeys(normalize_number(one, allowed=ANY_NUMBER) for one in numbers))
    try:
        return _stop(wanted, note, by)
    except IntegrityError:  # another was faster with one of the numbers
        return _stop(wanted, note, by)


def _stop(numbers: list[str], note: str, by: AbstractBaseUser | None) -> Stopped:
    alias = router.db_for_write(StoppedNumber)
    chunks = [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
    # Read outside the transaction: one that reads first can not write on SQLite when another
    # wrote meanwhile.
    known = {number for chunk in chunks for number in _known(chunk, alias)}
    fields: dict[str, Any] = {"note": note, "created_by": by}
    new = [StoppedNumber(number=one, **fields) for one in numbers if one not in known]
    with transaction.atomic(using=alias):
        StoppedNumber.objects.using(alias).bulk_create(new, batch_size=CHUNK)
        return Stopped(len(new), sum(_cancel(chunk) for chunk in chunks))


def _known(numbers: list[str], alias: str) -> Iterable[str]:
    rows = StoppedNumber.objects.using(alias).filter(number__in=numbers)
    return rows.values_list("number", flat=True)


def _cancel(numbers: list[str]) -> int:
    rows = SmsMessage.objects.for_write().filter(number__in=numbers, status=Status.PENDING)
    return sum(rows.end(Status.CANCELLED, ErrorCode.STOP_LIST).values())


@sensitive_variables()
def read_numbers(text: str) -> list[str]:
    """The numbers of a list or a table: the first column of each line that is not empty.

    Raises ``ValidationError`` with a message for each line without a number, at most ten, by the
    line's place and never by what it holds.
    """
    numbers, faults = [], []
    for place, line in enumerate(text.splitlines(), start=1):
        cell = line.replace(";", ",").replace("\t", ",").partition(",")[0].strip(' "')
        if not line.strip():
            continue
        try:
            numbers.append(normalize_number(cell, allowed=ANY_NUMBER))
        except ValidationError as error:
            told = {"line": place, "fault": error.messages[0]}
            faults.append(ValidationError(_("Line %(line)d: %(fault)s") % told, code="line"))
    if faults:
        raise ValidationError(faults[:10])
    return numbers
