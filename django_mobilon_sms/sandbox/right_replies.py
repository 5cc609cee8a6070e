"""The objects of right replies, as on the vendor's page; where it is silent, our inventions."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from .magic_numbers import ACCEPTED, REFUSED, course_of
from .records import Received
from .request_checks import FIELDS, SEND

Answer = dict[str, Any]


def new_messages(objects: list[Any]) -> tuple[Received, ...]:
    """Return the messages in the objects of a request, each under a new id."""
    at = time.time()
    fields = ({name: asked[name] for name in FIELDS[SEND]} for asked in objects)
    return tuple(Received(**values, id=secrets.token_hex(12), at=at) for values in fields)


def is_accepted(message: Received) -> bool:
    """Return whether the gateway takes this message; it may still leave it out of its answer."""
    return course_of(message.number).send != REFUSED


def answered(messages: Iterable[Received]) -> list[Received]:
    """Return the messages that the answer of /send/ mentions."""
    return [message for message in messages if course_of(message.number).send is not None]


def acceptance(message: Received) -> Answer:
    """Return the answer of /send/ for a message; one that is refused gets no id (our invention)."""
    id_ = message.id if is_accepted(message) else ""
    return {"status": course_of(message.number).send, "guid": message.guid, "id": id_}


def report(message: Received, sent_after: float) -> Answer:
    """Return the answer of /status/: until it is sent, status 0 without a date (our invention).

    A message with several reports gets the next one each time that ``sent_after`` has passed.
    """
    reports = course_of(message.number).reports
    age = max(0.0, time.time() - message.at)
    due = sum(age >= place * sent_after for place in range(1, len(reports) + 1))
    if not due:
        return {"status": ACCEPTED, "guid": message.guid, "id": message.id}
    sent_at = timestamp(message.at + sent_after)
    status = reports[due - 1]
    return {"status": status, "guid": message.guid, "dateTimeSent": sent_at, "id": message.id}


def timestamp(seconds: float) -> str:
    """Return a Unix time as the vendor writes it."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
