"""The same request again: what the header ``Idempotency-Key`` and a guid can promise."""

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
from .permissions import sees

HEADER = "Idempotency-Key"


#: Never changes: a repeated request finds its messages by what is made from it.
NAMESPACE = UUID("0b8f3d3c-52a5-4d43-9d0e-5b8f7f0a8d67")


class MalformedKey(APIException):
    """``Idempotency-Key`` is not 1 to 255 printable ASCII characters."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = _("Write an Idempotency-Key of 1 to 255 printable ASCII characters.")
    default_code = "malformed_key"


class Repeatable:
    """The messages of one request, which may be a repeated one."""

    def __init__(self, user: AbstractBaseUser, rows: Sequence[Mapping[str, Any]], key: str) -> None:
        self.user = user
        self.key = key
        #: The places of the rows that the key names: a guid of their own goes first.
        self.keyed = {n for n, row in enumerate(rows) if key and row.get("guid") is None}
        own: list[dict[str, Any]] = [
            {"guid": self._guid(n)} if n in self.keyed else {} for n in range(len(rows))
        ]
        self.rows = [{**row, **more, "created_by": user} for row, more in zip(rows, own)]

    def _guid(self, index: int) -> UUID:
        return uuid5(NAMESPACE, f"{index}\0{self.user.pk}\0{self.key}")

    def extra_checks(self, messages: Sequence[SmsMessage]) -> dict[int, ValidationError]:
        """What must not be answered: others' messages, and another list under the same key."""
        exist = {n for n, message in enumerate(messages) if not message.was_written}
        others = {n for n in exist if not sees(self.user, messages[n])}
        refused = {n: _taken() for n in others}
        if self.keyed & exist:
            missing = self.keyed - exist
            if not missing and self._was_longer():
                missing = {max(self.keyed)}
            refused |= {n: _another_list() for n in missing}
        return refused

    def _was_longer(self) -> bool:
        after = SmsMessage.objects.for_write().filter(guid=self._guid(len(self.rows)))
        return after.exists()


def read_key(request: Request) -> str:
    """The key of the request, empty if it has none; raises ``MalformedKey``."""
    key: str | None = request.headers.get(HEADER)
    if key is not None and not re.fullmatch("[ -~]{1,255}", key):
        raise MalformedKey
    return key or ""


def _taken() -> ValidationError:
    """The same whatever the message is: nothing of it is told."""
    error = ValidationError(_("This guid is taken."), code="conflict")
    return ValidationError({"guid": error})


def _another_list() -> ValidationError:
    message = _("A request with this Idempotency-Key had another number of messages.")
    return ValidationError({"non_field_errors": ValidationError(message, code="conflict")})
