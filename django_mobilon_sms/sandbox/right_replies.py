"""The objects of right replies, as on the vendor's page; where it is silent, our inventions."""

from __future__ import annotations

import secrets
import time
from datetime import datetime, timezone
from typing import Any

from .records import Received
from .request_checks import FIELDS, SEND

Answer = dict[str, Any]


def new_messages(objects: list[Any]) -> tuple[Received, ...]:
    """Return the messages in the objects of a request, each under a new id."""
    at = time.time()
    fields = ({name: asked[name] for name in FIELDS[SEND]} for asked in objects)
    return tuple(Received(**values, id=secrets.token_hex(12), at=at) for values in fields)


def acceptance(message: Received) -> Answer:
    """Return the answer of /send/ for a message."""
    return {"status": 0, "guid": message.guid, "id": message.id}


def report(message: Received, sent_after: float) -> Answer:
    """Return the answer of /status/: until it is sent, status 0 without a date (our invention)."""
    if max(0.0, time.time() - message.at) < sent_after:
        return acceptance(message)
    sent_at = timestamp(message.at + sent_after)
    return {"status": 1, "guid": message.guid, "dateTimeSent": sent_at, "id": message.id}


def timestamp(seconds: float) -> str:
    """Return a Unix time as the vendor writes it."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
