"""A repeated request, found again by the header ``Idempotency-Key``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from ...exceptions import InvalidRows, RowError
from ...models import IdempotencyKey, SmsMessage
from .bad_rows import Written, at_places
from .request_rows import WRITABLE
from .write_request import Options, WriteRequest

HEADER = "Idempotency-Key"

#: Names of fields that are not the client's. A name that a client makes up may hold anything.
KNOWN_FIELDS = {*WRITABLE, "non_field_errors"}
OTHER_CONTENT = _("A request with this Idempotency-Key had other content.")


class MalformedKey(APIException):
    """The ``Idempotency-Key`` is not 1 to 255 printable ASCII characters."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = _("Write an Idempotency-Key of 1 to 255 printable ASCII characters.")
    default_code = "malformed_key"


class KeyedRequest(WriteRequest):
    """A request with a key: the first one writes its messages, any other finds them."""

    def __init__(
        self, user: AbstractBaseUser, given: Sequence[Any], options: Options, key: str
    ) -> None:
        super().__init__(user, given, options)
        # Must never change: a retry finds its messages by it.
        self.key_hash = sha256(key.encode()).hexdigest()

    @cached_property
    def request_hash(self) -> str:
        """A hash of the request, which is valid JSON.

        It holds the project's secret, because a text of few digits can be found from a bare hash.
        """
        body = json.dumps(self.given, sort_keys=True)
        return salted_hmac(HEADER, body, algorithm="sha256").hexdigest()

    @sensitive_variables()
    def write(self) -> Written:
        """Write the messages, or return those of the first request with this key.

        Raise ``InvalidRows``, also if the first request had other messages.
        """
        if (kept := self._kept()) is not None:
            return self._find(kept)
        try:
            written = super().write()
            if written.errors and not (self.dry_run or written.is_new):
                # All good rows existed, so no transaction has kept the bad ones with the key.
                self._keep(written.errors, written.messages)
            return written
        except (IntegrityError, InvalidRows):
            # The same request may have been faster: then the key is taken, or its messages count.
            if (kept := self._kept()) is None:
                raise
            return self._find(kept)

    def _kept(self) -> IdempotencyKey | None:
        return IdempotencyKey.objects.kept(self.user.pk, self.key_hash)

    def _write(self, places: Sequence[int], errors: Sequence[RowError]) -> list[SmsMessage]:
        return self._write_many(self._read(places), also_write=partial(self._keep, errors))

    def _keep(self, errors: Sequence[RowError], messages: Sequence[SmsMessage]) -> None:
        """Keep the key with these messages. Raise ``IntegrityError`` if it is kept already."""
        IdempotencyKey.objects.for_write().create(
            user_id=self.user.pk,
            key_hash=self.key_hash,
            request_hash=self.request_hash,
            guids=[str(message.guid) for message in messages],
            faults=[
                (error.index, self._without_content(error), error.code, error.message)
                for error in errors
            ],
        )

    def _without_content(self, error: RowError) -> str | int:
        """Return the field; instead of a name that the client made up, its place in the row."""
        known = error.field in KNOWN_FIELDS
        return error.field if known else self._names(error.index).index(error.field)

    def _names(self, index: int) -> list[str]:
        """Return the names in a row, in the same order for the same request."""
        return sorted(self.given[index])

    def _errors(self, kept: IdempotencyKey) -> list[RowError]:
        """Return the errors of the first request, which was equal to this one."""
        return [
            RowError(
                index, self._names(index)[field] if isinstance(field, int) else field, code, message
            )
            for index, field, code, message in kept.faults
        ]

    def _find(self, kept: IdempotencyKey) -> Written:
        if kept.faults and not (self.skip and kept.request_hash == self.request_hash):
            # The rows that were not written can be compared by the hash alone.
            raise InvalidRows([RowError(0, "non_field_errors", "conflict", str(OTHER_CONTENT))], 1)
        errors = self._errors(kept)
        bad = {error.index for error in errors}
        places = [place for place in range(len(self.given)) if place not in bad]
        rows = self._read(places)
        guids = [*kept.guids, *[None] * len(rows)]
        named = [
            {**row, "guid": guid} if row.get("guid") is None else row
            for row, guid in zip(rows, guids)
        ]
        try:
            messages = self._write_many(named, extra_checks=partial(self._compare, kept))
        except InvalidRows as error:
            raise InvalidRows(at_places(error.errors, places), error.count) from None
        return Written(messages, errors)

    def _compare(
        self, kept: IdempotencyKey, messages: Sequence[SmsMessage]
    ) -> dict[int, ValidationError]:
        """Return a fault, by its place, for each message that the first request did not have.

        A message that would be new is one of them: it must not be written under this key.
        """
        guids = [UUID(guid) for guid in kept.guids]
        found = {n for n, message in enumerate(messages[: len(guids)]) if not message.was_written}
        others = {n for n in found if messages[n].guid != guids[n]}
        if kept.request_hash != self.request_hash:
            # Cannot be compared any more.
            others |= {n for n in found if not messages[n].text}
        missing = set(range(len(messages))) - found
        if not missing and len(messages) < len(guids):
            missing = {len(messages) - 1}
        return {n: _another_length() for n in missing} | {n: _other_content() for n in others}


def read_key(request: Request) -> str:
    """Return the key of the request, empty if it has none. Raise ``MalformedKey``."""
    key: str | None = request.headers.get(HEADER)
    if key is not None and not re.fullmatch("[ -~]{1,255}", key):
        raise MalformedKey
    return key or ""


def _another_length() -> ValidationError:
    message = _("A request with this Idempotency-Key had a different number of messages.")
    return ValidationError({"non_field_errors": ValidationError(message, code="conflict")})


def _other_content() -> ValidationError:
    return ValidationError({"non_field_errors": ValidationError(OTHER_CONTENT, code="conflict")})
