"""The answers to a request that writes messages, where they are not the messages alone.

``rest/openapi/shapes.py`` describes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import fault
from .bad_rows import Written


def judgement(written: Written) -> dict[str, Any]:
    """Return the answer to a dry run: how much would be written, and the bad rows."""
    new = {message.guid: message for message in written.messages if message.was_written}
    segments = sum(message.segments for message in new.values())
    return {"messages": len(new), "segments": segments, **_bad_rows(written)}


def with_bad_rows(written: Written, messages: Sequence[Any]) -> dict[str, Any]:
    """Return the answer to a list: each message (JSON) with the place of its row; the bad rows."""
    bad = {error.index for error in written.errors}
    good = [place for place in range(len(bad) + len(messages)) if place not in bad]
    results = [{"index": place, **message} for place, message in zip(good, messages)]
    return {"results": results, **_bad_rows(written)}


def _bad_rows(written: Written) -> dict[str, Any]:
    return {
        "errors": [
            fault(error.field, error.code, error.message, index=error.index)
            for error in written.errors
        ],
        "count": len({error.index for error in written.errors}),
    }
