"""A repeated request, found again by the header ``Idempotency-Key`` or by its guids."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from ..models import SmsMessage
from .recipient_limit import over_limit

HEADER = "Idempotency-Key"
#: Must never change: a repeated request finds its messages by the guids made from it.
NAMESPACE = UUID("0b8f3d3c-52a5-4d43-9d0e-5b8f7f0a8d67")


class MalformedKey(APIException):
    """The ``Idempotency-Key`` is not 1 to 255 printable ASCII characters."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = _("Write an Idempotency-Key of 1 to 255 printable ASCII characters.")
    default_code = "malformed_key"


class Repeatable:
    """The rows of a request, with the guids that its key gives them."""

    def __init__(self, user: AbstractBaseUser, rows: Sequence[Mapping[str, Any]], key: str) -> None:
        self.user = user
        self.key = key
        #: The places of the rows that get their guid from the key: those without one of their own.
        self.keyed = {n for n, row in enumerate(rows) if key and row.get("guid") is None}
        self.rows = [
            {**row, "created_by": user} | ({"guid": self._guid(n)} if n in self.keyed else {})
            for n, row in enumerate(rows)
        ]

    def _guid(self, index: int) -> UUID:
        return uuid5(NAMESPACE, f"{index}\0{self.user.pk}\0{self.key}")

    def extra_checks(self, messages: Sequence[SmsMessage]) -> dict[int, ValidationError]:
        """Return a fault for each message that must not be answered, by its place.

        These are lists of another length under the same key, and messages over the hourly limit.
        """
        exist = {n for n, message in enumerate(messages) if not message.was_written}
        refused = {}
        if self.keyed & exist:
            missing = self.keyed - exist
            if not missing and self._was_longer():
                missing = {max(self.keyed)}
            refused = {n: _another_length() for n in missing}
        return {**over_limit(messages), **refused}

    def _was_longer(self) -> bool:
        next_guid = self._guid(len(self.rows))
        return SmsMessage.objects.for_write().filter(guid=next_guid).exists()


def read_key(request: Request) -> str:
    """Return the key of the request, empty if it has none. Raise ``MalformedKey``."""
    key: str | None = request.headers.get(HEADER)
    if key is not None and not re.fullmatch("[ -~]{1,255}", key):
        raise MalformedKey
    return key or ""


def _another_length() -> ValidationError:
    message = _("A request with this Idempotency-Key had a different number of messages.")
    return ValidationError({"non_field_errors": ValidationError(message, code="conflict")})
