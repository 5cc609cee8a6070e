"""Errors, named by what the caller may do next.

::

    MobilonSmsError
    ├── GatewayError
    │   ├── NeverLeft       nothing was written to the gateway: it may be repeated
    │   ├── Refused         the gateway refused the whole request: it may be repeated
    │   └── OutcomeUnknown  it may have been processed: it must not be repeated
    ├── GuidConflict        the guid belongs to a message with other content
    ├── InvalidRows         send_many() wrote nothing: some rows are invalid
    └── MessageIsWritten    a message is written once: cancel it and copy it instead

A wrong value raises Django's ``ValidationError`` and a wrong setting its
``ImproperlyConfigured``: both are the project's to catch, as everywhere in Django.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

#: HTTP codes taken as "nothing of this request was accepted", unless a setting says otherwise.
REFUSED_HTTP_CODES = frozenset({401, 402, 403, 404, 405, 407, 411, 413, 415, 429})


class MobilonSmsError(Exception):
    """The root of the app's own errors."""


class GatewayError(MobilonSmsError):
    """A request to the gateway failed; the subclass says what that proves.

    ``code`` names the reason in one word (see ``choices.ErrorCode``), ``http_code`` is the
    reply's where there was one, ``retry_after`` the seconds the gateway asked to wait. The text
    holds nothing that was sent or received.
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
    """The gateway refused the whole request: nothing of it was accepted."""


class OutcomeUnknown(GatewayError):
    """The request may have been processed: it must not be repeated."""


class GuidConflict(MobilonSmsError):
    """The guid belongs to a message with other content; ``fields`` names what differs."""

    def __init__(self, guid: object, fields: Sequence[str]) -> None:
        self.guid = guid
        self.fields = list(fields)
        super().__init__(
            f"A message with guid {guid} exists with another {', '.join(self.fields)}. "
            "Send another message under another guid."
        )


@dataclasses.dataclass(frozen=True)
class RowError:
    """One fault of one row given to ``send_many()``."""

    index: int
    field: str
    code: str
    message: str


class InvalidRows(MobilonSmsError):
    """``send_many()`` wrote nothing.

    ``errors`` holds the first 100 faults, ``count`` is how many rows have one.
    """

    def __init__(self, errors: Sequence[RowError], count: int) -> None:
        self.errors = list(errors)
        self.count = count
        first = self.errors[0]
        super().__init__(
            f"{count} invalid rows, nothing was written. "
            f"The first: row {first.index}, {first.field}: {first.message}"
        )


class MessageIsWritten(MobilonSmsError):
    """A message is written once."""

    def __init__(self) -> None:
        super().__init__(
            "A message is written once and never edited. Cancel it while it is pending, "
            "or copy it into a new one."
        )
