"""Strict parsing of the gateway's replies, without network and Django."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple
from uuid import UUID

from ..exceptions import OutcomeUnknown
from . import strict_json


class SendResult(NamedTuple):
    """One object of a send reply for a message of the request.

    ``id`` is empty if the object has none. If ``status`` or ``id`` has a wrong type, both are
    ``None`` and the object proves nothing.
    """

    guid: UUID
    status: int | None
    id: str | None


class StatusReport(NamedTuple):
    """One object of a status reply for an id of the request.

    ``guid`` is ``None`` if the object has none. ``sent_at`` (UTC) is ``None`` if it has no readable
    time.
    """

    id: str
    status: int
    guid: UUID | None
    sent_at: datetime | None


def parse(body: bytes, http_code: int) -> list[Any]:
    """Return the JSON array that a reply holds.

    Raise ``OutcomeUnknown`` for anything else, and for NaN, a duplicate key or text that is not
    UTF-8.
    """
    try:
        reply = strict_json.loads(body.decode("utf-8-sig"))
    except ValueError:
        raise OutcomeUnknown("bad_reply", http_code=http_code) from None
    if not isinstance(reply, list):
        raise OutcomeUnknown("bad_reply", http_code=http_code)
    return reply


def send_results(reply: Sequence[Any], guids: Iterable[UUID]) -> Iterator[SendResult]:
    """Yield the objects that name one of these guids, in the reply's order."""
    by_text = {str(guid): guid for guid in guids}
    for item in reply:
        if not isinstance(item, dict):
            continue
        name = item.get("guid")
        # The gateway usually repeats the guid as it was sent; a lookup is faster than parsing.
        guid = by_text.get(name) if isinstance(name, str) else None
        if guid := guid or by_text.get(str(_guid(name))):
            status, id_ = _code(item.get("status")), _id(item.get("id"))
            proves = status is not None and id_ is not None
            yield SendResult(guid, status, id_) if proves else SendResult(guid, None, None)


def status_reports(reply: Sequence[Any], ids: Collection[str]) -> Iterator[StatusReport]:
    """Yield the readable objects for one of these ids, in the reply's order."""
    for item in reply:
        if not isinstance(item, Mapping):
            continue
        id_, status = _id(item.get("id")), _code(item.get("status"))
        guid = _guid(item.get("guid"))
        if id_ in ids and id_ and status is not None and (guid or item.get("guid") is None):
            yield StatusReport(id_, status, guid, _time(item.get("dateTimeSent")))


def _guid(value: object) -> UUID | None:
    """Return the guid in any spelling: case and dashes do not matter."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _code(value: object) -> int | None:
    """Return a status code: a JSON integer of 32 bits (``True`` is not one)."""
    return value if type(value) is int and -(2**31) <= value < 2**31 else None


def _id(value: object) -> str | None:
    """Return the gateway's id: empty if there is none, ``None`` if the value is invalid."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or len(value) > 64:
        return None
    return value if value.isascii() and value.isprintable() else None


def _time(value: object) -> datetime | None:
    """Return an ISO 8601 time with an offset, in UTC; ``None`` for anything else."""
    if not isinstance(value, str) or not re.fullmatch(
        r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}(\d{3})?)?(Z|[+-]\d\d:\d\d)", value, re.ASCII
    ):
        return None
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(timezone.utc)
    except ValueError:
        return None
