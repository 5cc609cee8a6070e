"""A JSON parser that refuses what later code would stumble over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

#: The largest request body, in bytes.
MAX_BODY = 2 * 1024 * 1024


class BodyTooLarge(APIException):
    """The request body is over ``MAX_BODY``."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request body is over 2 MB. Send fewer messages in one request.")
    default_code = "too_large"


class StrictJSONParser(BaseParser):
    """JSON in UTF-8: no NaN, no key twice, no nesting bomb, at most 2 MB."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value; ``ParseError`` or ``BodyTooLarge`` otherwise."""
        body = stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise BodyTooLarge
        try:
            return json.loads(body.decode(), parse_constant=_refuse, object_pairs_hook=_unique_keys)
        except (ValueError, RecursionError):
            raise ParseError(_("The request body is not valid JSON.")) from None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("A key twice.")
    "".join(unique).encode()  # a ValueError for a lone surrogate: no answer could name that key
    return unique
