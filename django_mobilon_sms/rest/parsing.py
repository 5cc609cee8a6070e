"""A JSON parser that refuses what later code cannot handle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from ..gateway import strict_json

#: The largest request body, in bytes.
MAX_BODY = 2 * 1024 * 1024

#: Names in one JSON object: more than any request has, and few enough to answer each as a fault.
MAX_NAMES = 20


#: Levels of lists and objects in a request body: no request needs more than three.
MAX_LEVELS = 10


class BodyTooLarge(APIException):
    """The request body is over ``MAX_BODY``."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request body is over 2 MB. Send fewer messages in one request.")
    default_code = "too_large"


class LengthRequired(APIException):
    """The request names no length: WSGI gives such a body to nobody, so it would count as empty."""

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = _("Send the request body with a Content-Length, not in chunks.")
    default_code = "length_required"


class TooManyNames(ValueError):
    """An object has more than ``MAX_NAMES`` names."""


class StrictJSONParser(BaseParser):
    """JSON in UTF-8 of at most 2 MB: no NaN, no key twice, no nesting bomb, few keys."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the value of the body. Raise ``ParseError`` or ``BodyTooLarge``."""
        body = stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise BodyTooLarge
        try:
            value = strict_json.loads(body.decode(), read_object=_encodable_keys)
            _require_shallow(value, MAX_LEVELS)
        except TooManyNames:
            message = _("An object has more than %(most)d fields.") % {"most": MAX_NAMES}
            raise ParseError(message, code="too_many_fields") from None
        except ValueError:
            raise ParseError(_("The request body is not valid JSON.")) from None
        return value


def require_length(request: Request) -> None:
    """Raise ``LengthRequired`` for a body in chunks."""
    if "Transfer-Encoding" in request.headers:
        raise LengthRequired


def _require_shallow(value: Any, levels: int) -> None:
    """Raise ``ValueError`` for a value that later code could not walk through."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        if isinstance(one, (dict, list)):
            if levels == 0:
                raise ValueError("It is nested too deeply.")
            _require_shallow(one, levels - 1)


def _encodable_keys(pairs: strict_json.Pairs) -> dict[str, Any]:
    if len(pairs) > MAX_NAMES:
        raise TooManyNames
    unique = strict_json.unique_keys(pairs)
    "".join(unique).encode()  # a ValueError for a lone surrogate: no answer could name that key
    return unique
