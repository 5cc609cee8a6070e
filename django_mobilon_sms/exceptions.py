"""The app's own errors, and what the caller may do after each.

::

    MobilonSmsError
    ├── GatewayError        a request to the gateway failed
    │   ├── NeverLeft       nothing was written to the gateway: repeat the request
    │   ├── Refused         the gateway refused the whole request: repeat it later
    │   └── OutcomeUnknown  it may have been processed: do not repeat it
    ├── GuidConflict        the message with this guid differs: use another guid
    ├── InvalidRows         some rows are invalid, none was written: correct them
    ├── InvalidCursor       not a cursor of the events: pass one unchanged
    ├── CursorExpired       events after the cursor were deleted: begin again
    └── MessageIsWritten    a message cannot be edited: cancel it, or copy it

Invalid values raise Django's ``ValidationError``, and invalid settings its
``ImproperlyConfigured``. They are outside this tree, as everywhere in Django.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

#: HTTP codes that mean "nothing was accepted", unless ``REFUSED_HTTP_CODES`` is set.
REFUSED_HTTP_CODES = frozenset({401, 402, 403, 404, 405, 407, 411, 413, 415, 429})


class MobilonSmsError(Exception):
    """Base of the app's own errors."""


class GatewayError(MobilonSmsError):
    """A request to the gateway failed. The subclass says what that proves.

    ``code`` is a value of ``choices.ErrorCode``. ``http_code`` is the reply's, if there was one.
    ``retry_after`` is the number of seconds the gateway asked to wait. The error's text contains
    nothing that was sent or received.
    """

    def __init__(
        self, code: str, *, http_code: int | None = None, retry_after: float | None = None
    ) -> None:
        self.code = code
        self.http_code = http_code
        self.retry_after = retry_after
        super().__init__(f"{code} (HTTP {http_code})" if http_code else code)


class NeverLeft(GatewayError):
    """Nothing was written to the gateway: the request may be repeated."""


class Refused(GatewayError):
    """The gateway refused the whole request: it accepted none of the messages."""


class OutcomeUnknown(GatewayError):
    """The request may have been processed: it must not be repeated."""


class GuidConflict(MobilonSmsError):
    """The message with this guid has other content. ``fields`` names what differs."""

    def __init__(self, guid: object, fields: Sequence[str]) -> None:
        self.guid = guid
        self.fields = list(fields)
        super().__init__(
            f"A message with guid {guid} exists with another {', '.join(self.fields)}. "
            "Send another message under another guid."
        )


@dataclasses.dataclass(frozen=True)
class RowError:
    """One error of one row of ``send_many()``."""

    index: int
    field: str
    code: str
    message: str


class InvalidRows(MobilonSmsError):
    """Some rows of ``send_many()`` are invalid, and none was written.

    ``errors`` lists the first 100 errors. ``count`` is the number of invalid rows.
    """

    def __init__(self, errors: Sequence[RowError], count: int) -> None:
        self.errors = list(errors)
        self.count = count
        first = self.errors[0]
        super().__init__(
            f"{count} invalid rows, nothing was written. "
            f"The first: row {first.index}, {first.field}: {first.message}"
        )


class InvalidCursor(MobilonSmsError, ValueError):
    """A string that is not a cursor of the events."""

    def __init__(self) -> None:
        super().__init__("This is not a cursor. Pass the cursor of the last page unchanged.")


class CursorExpired(MobilonSmsError):
    """Events after the cursor were deleted, so that reading on from it would skip them."""

    def __init__(self) -> None:
        super().__init__(
            "Events after this cursor have been deleted. Take a new cursor with events.newest(), "
            "then read the statuses of your messages, then read the events from the new cursor."
        )


class MessageIsWritten(MobilonSmsError):
    """A message is written once and never edited."""

    def __init__(self) -> None:
        super().__init__(
            "A message is written once and never edited. Cancel it while it is pending, "
            "or copy it into a new one."
        )
