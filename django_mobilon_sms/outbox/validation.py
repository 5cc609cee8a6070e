"""The rules that every new message meets, whichever door it comes through."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from unicodedata import category
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ..choices import Priority
from ..conf import conf, is_source, to_utc
from ..models import GatewayState
from ..phone_numbers import ANY_NUMBER, normalize_number
from ..segments import count_segments

MAX_TAG = 64

#: What a send time in the past means: "now", or a mistake to refuse, as where a person typed it.
Past = Literal["now", "refuse"]
#: A time that has passed more recently is no mistake: somebody took long to press the button.
PAST_TOLERANCE = timedelta(minutes=5)

#: Control characters that no text may have: all but tab and line feed; CR LF has become LF.
_CONTROL = re.compile("[\x01-\x08\x0b-\x1f\x7f-\x9f]")
#: Categories of characters that nobody sees: format, spaces, separators and control.
_INVISIBLE = frozenset({"Cf", "Zs", "Zl", "Zp", "Cc"})
#: Characters of other categories that nobody sees: fillers, blanks and variation selectors.
_FILLERS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def database_time() -> datetime:
    """Return the database's current time. Wrap it in ``cache()`` to query it once for many rows."""
    return GatewayState.objects.current().now


def default_expiry(send_at: datetime) -> datetime | None:
    """Return when a message expires that names no time for it; ``None`` for never."""
    return send_at + timedelta(seconds=conf.LIFETIME) if conf.LIFETIME is not None else None


def is_past(send_at: datetime, now: datetime) -> bool:
    """Return whether a send time lies so far back that nobody can have meant now."""
    return send_at < now - PAST_TOLERANCE


def first_due(fields: Mapping[str, Any], now: datetime) -> datetime:
    """Return when a message may go out first: at its send time, or now if that has passed."""
    send_at: datetime = fields.get("send_at", now)
    return max(send_at, now)


def clean(
    row: Mapping[str, Any],
    now: Callable[[], datetime] = database_time,
    *,
    names: Collection[str] | None = None,
    past: Past = "now",
) -> dict[str, Any]:
    """Return the fields of a message from a row with the names of ``send_sms()``.

    They include the ``segments`` of its text. A field that is missing or ``None`` gets its default
    later. ``names`` limits the fields to look at. ``now`` is called only if a row has an expiry, or
    if ``past`` is to be refused and a row has a send time.

    Raises ``ValidationError`` with every error by its field; no error repeats a value.
    """
    fields, errors = _clean(row, CLEANERS, names, required=("number", "text", "source"))
    if "text" in fields:
        fields["segments"] = count_segments(fields["text"]).count
        if fields["segments"] > conf.MAX_SEGMENTS:
            errors["text"] = _too_long(fields["segments"])
    if past == "refuse" and "send_at" in fields and is_past(fields["send_at"], now()):
        errors["send_at"] = ValidationError(
            _("This time has passed. Give a later one, or none to send immediately."), code="past"
        )
    comparable = "expires_at" in fields and "send_at" not in errors
    if comparable and fields["expires_at"] <= first_due(fields, now()):
        errors["expires_at"] = ValidationError(
            _("It must expire after it is to be sent."), code="expires_before_send"
        )
    if errors:
        raise ValidationError(errors)
    return fields


def clean_repeated(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a row whose message exists already.

    It met the rules when it was written. It may break today's: its expiry may have passed, and
    the settings may have changed. So only the rules that never change apply here.

    Raises ``ValidationError``.
    """
    cleaners = CLEANERS | {"number": _any_number, "text": _any_text}
    fields, errors = _clean(row, cleaners, None, required=("number", "text"))
    if errors:
        raise ValidationError(errors)
    return fields


def named_guid(row: Mapping[str, Any]) -> UUID | None:
    """Return the guid that a row names; ``None`` without one, or if it is not a guid."""
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


def _unknown_field() -> ValidationError:
    return ValidationError(_("A message has no such field."), code="unknown_field")


def _number(value: object) -> str:
    return normalize_number(value, allowed=conf.NUMBER_PATTERN)


def _any_number(value: object) -> str:
    return normalize_number(value, allowed=ANY_NUMBER)


def _text(value: object) -> str:
    text = _any_text(value)
    _require_readable(text)
    return text


def _too_long(count: int) -> ValidationError:
    message = ngettext_lazy(
        "The text has %(count)d parts, and only %(most)d part is allowed. Shorten it.",
        "The text has %(count)d parts, and only %(most)d parts are allowed. Shorten it.",
        "most",
    )
    params = {"count": count, "most": conf.MAX_SEGMENTS}
    return ValidationError(message, code="too_long", params=params)


def _any_text(value: object) -> str:
    """Return the text as it is stored: line ends become LF, and nothing else changes."""
    if isinstance(value, Promise):  # a lazy translation
        value = str(value)
    if not isinstance(value, str):
        raise ValidationError(_("Write the text as a string."), code="not_text")
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ValidationError(_("Write a text."), code="empty")
    _require_storable(text)
    return text


def _require_readable(text: str) -> None:
    """Reject a text that would be paid for and show nothing, or that controls the phone."""
    if _CONTROL.search(text):
        raise ValidationError(
            _("Remove the control characters. A text may have only line breaks and tabs."),
            code="control",
        )
    if all(category(one) in _INVISIBLE or _FILLERS.match(one) for one in text):
        raise ValidationError(
            _("The text has only invisible characters. Write a text."), code="invisible"
        )


def _require_storable(value: str) -> None:
    """Reject characters that some supported databases cannot store."""
    if "\0" in value:
        raise ValidationError(_("Remove the NUL character."), code="nul")
    if re.search("[\ud800-\udfff]", value):
        raise ValidationError(
            _("Remove the lone surrogate (half a character): it cannot be stored."),
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
            _("Give the time with its time zone: without one it is ambiguous."), code="naive"
        )
    try:
        return to_utc(value)
    except ValueError:
        raise ValidationError(
            _("Give a time between the years 2000 and 2999."), code="range"
        ) from None


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
        raise ValidationError(_("Give true or false."), code="invalid")
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


#: The function that turns a given value into a field's value, or raises ``ValidationError``.
CLEANERS: dict[str, Callable[[object], Any]] = {
    "number": _number,
    "text": _text,
    "source": _source,
    "send_at": _time,
    "expires_at": _time,
    "priority": _priority,
    "tag": _tag,
    "guid": _guid,
    "sensitive": _sensitive,
    "created_by": _user,
}
