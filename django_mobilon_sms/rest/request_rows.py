"""What a request names, as the outbox takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from ..choices import Priority
from ..exceptions import InvalidRows, RowError
from ..outbox import MAX_ERRORS, clean, database_time

PRIORITIES = {priority.name.lower(): priority.value for priority in Priority}


#: What a client may name; the rest is the program's.
WRITABLE = (
    "guid",
    "number",
    "text",
    "source",
    "send_at",
    "expires_at",
    "priority",
    "tag",
    "sensitive",
)


Faults = dict[str, ValidationError]


def read_rows(given: Sequence[object]) -> list[dict[str, Any]]:
    """What objects name, for ``write_many()``, which validates the values.

    Raises ``InvalidRows`` where JSON allows what the outbox can not be given; it then names
    whatever else is wrong too, so that nobody corrects a message twice.
    """
    read = [_read_row(one) for one in given]
    if any(faults for _row, faults in read):
        now = cache(database_time)
        _refuse({index: _all_faults(*one, now) for index, one in enumerate(read)})
    return [row for row, _faults in read]


def _refuse(found: Mapping[int, Faults]) -> None:
    bad = {index: faults for index, faults in found.items() if faults}
    errors = [
        RowError(index, field, str(error.code), error.messages[0])
        for index, faults in list(bad.items())[:MAX_ERRORS]
        for field, error in faults.items()
    ]
    raise InvalidRows(errors[:MAX_ERRORS], len(bad))


def _all_faults(row: Mapping[str, Any], faults: Faults, now: Callable[[], datetime]) -> Faults:
    if "non_field_errors" in faults:
        return faults
    try:
        clean(row, now)
    except ValidationError as error:
        return {field: found[0] for field, found in error.error_dict.items()} | faults
    return faults


def _read_row(given: object) -> tuple[dict[str, Any], Faults]:
    if not isinstance(given, Mapping):
        error = ValidationError(_("Give a message as an object."), code="not_an_object")
        return {}, {"non_field_errors": error}
    row: dict[str, Any] = {"number": None, "text": None}
    faults = {}
    for name, value in given.items():
        try:
            row[name] = _read(name, value)
        except ValidationError as error:
            faults[name] = error
    return row, faults


def _read(name: str, value: object) -> object:
    if name not in WRITABLE:
        raise ValidationError(
            _("A message has no such field, or the program alone writes it."),
            code="unknown_field",
        )
    reader = READERS.get(name)
    return value if reader is None or value is None else reader(value)


def _time(value: object) -> datetime:
    try:
        time = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None:
        raise ValidationError(
            _("Give an ISO 8601 time, for example 2026-01-31T09:00:00Z."), code="invalid"
        )
    return time


def _priority(value: object) -> int:
    if not isinstance(value, str) or value not in PRIORITIES:
        raise ValidationError(_("Choose high, normal or low."), code="invalid")
    return PRIORITIES[value]


def _guid(value: object) -> str:
    if not isinstance(value, str):
        raise ValidationError(_("Give the guid as a UUID."), code="invalid")
    return value


#: The names whose JSON is not yet what the outbox takes.
READERS: dict[str, Callable[[object], object]] = {
    "send_at": _time,
    "expires_at": _time,
    "priority": _priority,
    "guid": _guid,
}
