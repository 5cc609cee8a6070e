"""A repeated request, found again by the header ``Idempotency-Key``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
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
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from ...exceptions import InvalidRows
from ...models import IdempotencyKey, SmsMessage
from ...outbox import write_many
from ..permissions import confined_to

HEADER = "Idempotency-Key"

Rows = Sequence[Mapping[str, Any]]


class MalformedKey(APIException):
    """The ``Idempotency-Key`` is not 1 to 255 printable ASCII characters."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = _("Write an Idempotency-Key of 1 to 255 printable ASCII characters.")
    default_code = "malformed_key"


class KeyedRequest:
    """A request with a key: the first one writes its messages, any other finds them."""

    def __init__(self, user: AbstractBaseUser, key: str, given: Sequence[object]) -> None:
        self.user = user
        # Must never change: a retry finds its messages by it.
        self.key_hash = sha256(key.encode()).hexdigest()
        self.given = given
        self._write = partial(write_many, confined_to=confined_to(user), past="refuse")

    @cached_property
    def request_hash(self) -> str:
        """A hash of the request, once its values are found to be valid.

        It holds the project's secret, because a text of few digits can be found from a bare hash.
        """
        body = json.dumps(self.given, sort_keys=True)
        return salted_hmac(HEADER, body, algorithm="sha256").hexdigest()

    def write(self, rows: Rows) -> list[SmsMessage]:
        """Write the messages, or return those of the first request with this key.

        Raise ``InvalidRows``, also if the first request had other messages.
        """
        if (kept := self._kept()) is not None:
            return self._find(kept, rows)
        try:
            return self._write(rows, also_write=self._keep)
        except (IntegrityError, InvalidRows):
            # The same request may have been faster: then the key is taken, or its messages count.
            if (kept := self._kept()) is None:
                raise
            return self._find(kept, rows)

    def _kept(self) -> IdempotencyKey | None:
        return IdempotencyKey.objects.kept(self.user.pk, self.key_hash)

    def _keep(self, messages: Sequence[SmsMessage]) -> None:
        """Keep the key with these messages. Raise ``IntegrityError`` if it is kept already."""
        IdempotencyKey.objects.for_write().create(
            user_id=self.user.pk,
            key_hash=self.key_hash,
            request_hash=self.request_hash,
            guids=[str(message.guid) for message in messages],
        )

    def _find(self, kept: IdempotencyKey, rows: Rows) -> list[SmsMessage]:
        guids = [*kept.guids, *[None] * len(rows)]
        named = [
            {**row, "guid": guid} if row.get("guid") is None else row
            for row, guid in zip(rows, guids)
        ]
        return self._write(named, extra_checks=partial(self._compare, kept))

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
    message = _("A request with this Idempotency-Key had other content.")
    return ValidationError({"non_field_errors": ValidationError(message, code="conflict")})
