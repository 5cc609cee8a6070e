"""What a message must be before it is written: one set of rules for every door."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ..choices import Priority
from ..conf import conf, is_source
from ..phone_numbers import ANY_NUMBER, normalize_number
from ..segments import count_segments

MAX_TAG = 64


def clean(
    row: Mapping[str, Any],
    now: Callable[[], datetime],
    *,
    names: Collection[str] | None = None,
) -> dict[str, Any]:
    """The fields of a message from what a caller named; ``None`` names nothing.

    ``now`` tells the database's time; ``names`` are the fields to look at, if not all. Raises
    ``ValidationError`` with every fault by its field; no value is repeated in it.
    """
    fields, errors = _clean(row, CLEANERS, names, required=REQUIRED)
    comparable = "expires_at" in fields and "send_at" not in errors
    if comparable and fields["expires_at"] <= (fields.get("send_at") or now()):
        errors["expires_at"] = ValidationError(
            _("It must expire after it is to be sent."), code="expires_before_send"
        )
    if errors:
        raise ValidationError(errors)
    return fields


def default_expiry(send_at: datetime) -> datetime | None:
    """When a message expires that names no time for it; ``None`` for never."""
    return send_at + timedelta(seconds=conf.LIFETIME) if conf.LIFETIME is not None else None


def clean_repeated(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a row that was written before, by what neither time nor settings change.

    It was right then: it is asked for again, perhaps after its expiry, and not written anew.
    """
    cleaners = CLEANERS | {"number": _any_number, "text": _stored_text}
    fields, errors = _clean(row, cleaners, None, required=("number", "text"))
    if errors:
        raise ValidationError(errors)
    return fields


def named_guid(row: Mapping[str, Any]) -> UUID | None:
    """The guid that a row names, if it is one."""
    try:
        return None if row.get("guid") is None else _guid(row["guid"])
    except ValidationError:
        return None


def _clean(
    row: Mapping[str, Any],
    cleaners: Mapping[str, Callable[[object], Any]],
    names: Collection[str] | None,
    *,
    required: Collection[str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    errors: dict[str, Any] = {str(name): _unknown_field() for name in row.keys() - CLEANERS.keys()}
    fields: dict[str, Any] = {}
    for name, cleaner in cleaners.items():
        if names is not None and name not in names:
            continue
        value = row.get(name)
        if value is None and name not in required:
            continue
        try:
            fields[name] = cleaner(value)
        except ValidationError as error:
            errors[name] = error
    return fields, errors


def _number(value: object) -> str:
    return normalize_number(value, allowed=conf.NUMBER_PATTERN)


def _any_number(value: object) -> str:
    return normalize_number(value, allowed=ANY_NUMBER)


def clean_text(value: object) -> str:
    """The text as it is stored: line ends become LF, nothing else is changed.

    Raises ``ValidationError``.
    """
    text = _stored_text(value)
    if (count := count_segments(text).count) > conf.MAX_SEGMENTS:
        message = ngettext_lazy(
            "The text has %(count)d parts, and only %(most)d part is allowed. Shorten it.",
            "The text has %(count)d parts, and only %(most)d parts are allowed. Shorten it.",
            "most",
        )
        params = {"count": count, "most": conf.MAX_SEGMENTS}
        raise ValidationError(message, code="too_long", params=params)
    return text


def _stored_text(value: object) -> str:
    if isinstance(value, Promise):  # a lazy translation
        value = str(value)
    if not isinstance(value, str):
        raise ValidationError(_("Write the text as a string."), code="not_text")
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ValidationError(_("Write a text."), code="empty")
    _require_storable(text)
    return text


def _require_storable(value: str) -> None:
    """What not every database can keep, none gets."""
    if "\0" in value:
        raise ValidationError(_("Remove the NUL character."), code="nul")
    if re.search("[\ud800-\udfff]", value):
        raise ValidationError(
            _("Remove the half character (a lone surrogate); it can not be stored."),
            code="surrogate",
        )


def _source(value: object) -> str:
    source = conf.SOURCE if value is None else value
    if source == "":
        raise ValidationError(_("Name a sender, or set MOBILON_SMS_SOURCE."), code="required")
    if not is_source(source):
        raise ValidationError(
            _("Write the sender as the vendor gave it: 1 to 32 letters or digits, no spaces."),
            code="invalid",
        )
    return str(source)


def _time(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise ValidationError(_("Give a date and a time."), code="invalid")
    if value.utcoffset() is None:
        raise ValidationError(
            _("Give the time with its zone: a naive time is ambiguous."), code="naive"
        )
    if not 2000 <= value.year <= 2999:
        raise ValidationError(_("Give a time between the years 2000 and 2999."), code="range")
    return value.astimezone(timezone.utc)


def _priority(value: object) -> int:
    if isinstance(value, bool) or value not in Priority.values:
        raise ValidationError(
            _("Choose a priority: 0 (high), 5 (normal) or 9 (low)."), code="invalid"
        )
    return Priority(value).value


def _tag(value: object) -> str:
    if not isinstance(value, str):
        raise ValidationError(_("Write the tag as a string."), code="not_text")
    _require_storable(value)
    if len(value) > MAX_TAG or (value and not value.isprintable()):
        message = _("Write a tag of at most %(most)d printable characters.")
        raise ValidationError(message, code="invalid", params={"most": MAX_TAG})
    return value


def _sensitive(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValidationError(_("Say true or false."), code="invalid")
    return value


def _guid(value: object) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        raise ValidationError(_("Give the guid as a UUID."), code="invalid") from None


def _user(value: object) -> AbstractBaseUser | None:
    if not isinstance(value, AbstractBaseUser) or value.pk is None:
        raise ValidationError(_("Give a user of the project."), code="invalid")
    return value


def _unknown_field() -> ValidationError:
    return ValidationError(_("A message has no such field."), code="unknown_field")


REQUIRED = ("number", "text", "source")


CLEANERS: dict[str, Callable[[object], Any]] = {
    "number": _number,
    "text": clean_text,
    "source": _source,
    "send_at": _time,
    "expires_at": _time,
    "priority": _priority,
    "tag": _tag,
    "guid": _guid,
    "sensitive": _sensitive,
    "created_by": _user,
}
