"""A new message as a client names it, and as the outbox takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from ...exceptions import InvalidRows, RowError
from ...outbox import MAX_ERRORS, clean, database_time
from ..serializers import AsSent, ExactSerializer, PriorityField

Faults = dict[str, ValidationError]


class TextField(AsSent, serializers.CharField):
    """A string that the outbox validates."""


class FlagField(AsSent, serializers.BooleanField):
    """A boolean that the outbox validates."""


class GuidField(serializers.UUIDField):
    """A UUID as a string, which the outbox parses."""

    def to_internal_value(self, data: object) -> Any:
        """Return the string. Raise ``ValidationError`` for another type."""
        if not isinstance(data, str):
            raise ValidationError(_("Give the guid as a UUID."), code="invalid")
        return data


class TimeField(serializers.DateTimeField):
    """An ISO 8601 time, whose zone and range the outbox validates."""

    def to_internal_value(self, value: object) -> datetime:
        """Return the time, naive if it has no zone. Raise ``ValidationError``."""
        try:
            time = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            time = None
        if time is None:
            raise ValidationError(
                _("Give an ISO 8601 time, for example 2026-01-31T09:00:00Z."), code="invalid"
            )
        return time


OPTIONAL: Any = {"required": False, "allow_null": True}


class NewMessageSerializer(ExactSerializer):
    """A message to write."""

    guid = GuidField(**OPTIONAL, help_text="Yours; the same again finds the same message.")
    number = TextField(help_text="As people type it.")
    text = TextField(min_length=1, help_text="Kept as it is.")
    source: Any = TextField(
        **OPTIONAL,
        validators=[RegexValidator("^[!-~]{1,32}$")],
        help_text="The sender's number; the project's if you name none.",
    )
    send_at = TimeField(**OPTIONAL, help_text="Not sent before this time; with its zone.")
    expires_at = TimeField(**OPTIONAL, help_text="Not sent after this time; with its zone.")
    priority = PriorityField(**OPTIONAL)
    tag = TextField(**OPTIONAL, max_length=64, help_text="Printable characters, to find it by.")
    sensitive = FlagField(
        **OPTIONAL, help_text="The text is forgotten once the message went out or never will."
    )


#: The fields that a client may name; the program writes the others.
WRITABLE = NewMessageSerializer().fields


def read_rows(
    given: Sequence[object], *, max_errors: int | None = MAX_ERRORS
) -> list[dict[str, Any]]:
    """Return the rows that JSON objects name, for ``write_many()``, which validates the values.

    Raise ``InvalidRows`` for JSON that the outbox cannot be given. It then also names the faults
    that the outbox finds, so that nobody corrects a message twice. The loop over the fields is our
    own: DRF's takes eight times as long, and keeps no row that has a fault.
    """
    read = [_read_row(one) for one in given]
    if any(faults for _row, faults in read):
        now = cache(database_time)
        _refuse({index: _all_faults(*one, now) for index, one in enumerate(read)}, max_errors)
    return [row for row, _faults in read]


def _refuse(found: Mapping[int, Faults], max_errors: int | None) -> None:
    """Raise ``InvalidRows`` with the first faults, and the number of rows that have any."""
    invalid = {index: faults for index, faults in found.items() if faults}
    errors = [
        RowError(index, field, str(error.code), error.messages[0])
        for index, faults in list(invalid.items())[:max_errors]
        for field, error in faults.items()
    ]
    raise InvalidRows(errors[:max_errors], len(invalid))


def _all_faults(row: Mapping[str, Any], faults: Faults, now: Callable[[], datetime]) -> Faults:
    """Return the faults of reading together with those that the outbox finds."""
    if "non_field_errors" in faults:
        return faults
    try:
        clean(row, now)
    except ValidationError as error:
        return {field: found[0] for field, found in error.error_dict.items()} | faults
    return faults


def _read_row(given: object) -> tuple[dict[str, Any], Faults]:
    """Return what could be read of an object, and the fault of each other field."""
    if not isinstance(given, Mapping):
        error = ValidationError(_("Give a message as an object."), code="not_an_object")
        return {}, {"non_field_errors": error}
    row: dict[str, Any] = {"number": None, "text": None}
    faults: Faults = {}
    for name, value in given.items():
        try:
            row[name] = _read_value(name, value)
        except ValidationError as error:
            faults[name] = error
    return row, faults


def _read_value(name: str, value: object) -> object:
    if name not in WRITABLE:
        raise ValidationError(
            _("A message has no such field, or only the program writes it."),
            code="unknown_field",
        )
    return WRITABLE[name].run_validation(value)
