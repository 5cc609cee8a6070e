"""The thin adapter to the Mobilon GSM API; the only speaker of HTTP. It knows no Django.

The vendor's page is the contract: ``POST send/`` and ``POST status/``, each a JSON array of at
most 100 objects, basic auth. It documents no error, so every failure is sorted by what it proves
(see ``exceptions``): what is not known to be harmless may have gone out.
"""

from __future__ import annotations

import json
import math
import re
import ssl
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
)
from urllib3.exceptions import TimeoutError as TransportTimeout

from ..exceptions import REFUSED_HTTP_CODES, GatewayError, NeverLeft, OutcomeUnknown, Refused
from .backend import MAX_OBJECTS, OutgoingMessage
from .reply_parser import SendResult, StatusReport, parse, send_results, status_reports

#: How many connections are kept for asking, at most: as many as can be under way at once.
MAX_CONNECTIONS = 64


UNUSABLE_ADDRESS = (InvalidURL, InvalidSchema, MissingSchema, LocationParseError)


MAX_REPLY_BYTES = 1024 * 1024


HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "django-mobilon-sms",
}


#: Codes that say "this message is wrong" when it was alone in its request.
REJECTED_ALONE_HTTP_CODES = frozenset({400, 422})


class MobilonGateway:
    """The Mobilon GSM API.

    ``timeout`` is for a whole request, in seconds. ``refused_http_codes`` are taken as "nothing
    of this request was accepted"; an empty collection takes none so.
    """

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        timeout: float,
        *,
        refused_http_codes: Collection[int] = REFUSED_HTTP_CODES,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._credentials = (username.encode(), password.encode())
        self._timeout = timeout
        self._refused_http_codes = frozenset(refused_http_codes)
        self._status_connections = _connections()

    def send(self, messages: Sequence[OutgoingMessage]) -> list[SendResult]:
        """POST 1 to 100 messages once, over a connection of its own.

        Returns the reply's objects that name a guid of ours, in its order: none, one or several
        for a guid. Raises ``ValueError`` before the network for a wrong number of messages or a
        guid twice, and a ``GatewayError`` for everything after that.
        """
        guids = {message.guid for message in messages}
        if len(guids) != len(messages):
            raise ValueError("A guid is given twice.")
        _require_count(messages)
        objects = [_wire(message) for message in messages]
        # A kept-alive connection that the gateway closes at that moment looks just like a
        # message that was taken without an answer: hence a fresh one for every batch.
        connections = _connections()
        try:
            reply = self._post(connections, "send/", objects, {"Connection": "close"})
        finally:
            connections.close()
        return list(send_results(reply, guids))

    def status(self, ids: Sequence[str]) -> list[StatusReport]:
        """Ask for 1 to 100 messages by the gateway's ids; safe to repeat.

        Returns the reply's readable objects for these ids. Raises like ``send()``.
        """
        if len(set(ids)) != len(ids):
            raise ValueError("An id is given twice.")
        _require_count(ids)
        objects = [{"id": id_} for id_ in ids]
        kept = {"Connection": "keep-alive"}
        reply = self._post(self._status_connections, "status/", objects, kept)
        return list(status_reports(reply, set(ids)))

    def _post(
        self,
        connections: HTTPAdapter,
        path: str,
        objects: Sequence[object],
        headers: Mapping[str, str],
    ) -> list[Any]:
        deadline = time.monotonic() + self._timeout
        request = self._prepare(path, objects, headers)
        try:
            with connections.send(request, timeout=self._timeout, stream=True) as response:
                self._require_success(response, alone=len(objects) == 1)
                body = _read(response, deadline)
        except (OSError, HTTPError) as error:  # requests' own errors are OSErrors
            raise _transport_error(error) from None
        return parse(body, response.status_code)

    def _prepare(
        self, path: str, objects: Sequence[object], headers: Mapping[str, str]
    ) -> requests.PreparedRequest:
        request = requests.Request(
            "POST",
            f"{self._base_url}/{path}",
            data=json.dumps(objects, allow_nan=False).encode(),
            headers={**HEADERS, **headers},
            auth=self._credentials,
        )
        try:
            return request.prepare()
        except (OSError, HTTPError, ValueError):  # LocationParseError, UnicodeError among them
            raise NeverLeft("request") from None

    def _require_success(self, response: requests.Response, *, alone: bool) -> None:
        code = response.status_code
        if 200 <= code < 300:
            return
        if alone and self._refused_http_codes and code in REJECTED_ALONE_HTTP_CODES:
            raise Refused("rejected", http_code=code)
        if code in self._refused_http_codes:
            wait = _retry_after(response.headers.get("Retry-After", "")) if code == 429 else None
            raise Refused(_refusal(code), http_code=code, retry_after=wait)
        raise OutcomeUnknown("redirect" if 300 <= code < 400 else "http_error", http_code=code)


def _connections() -> HTTPAdapter:
    """What sends a request once. No session: that follows redirects and reads the environment.

    So no proxy and no ``.netrc`` sees the credentials.
    """
    return HTTPAdapter(max_retries=0, pool_maxsize=MAX_CONNECTIONS)


def _require_count(objects: Sequence[object]) -> None:
    if not 1 <= len(objects) <= MAX_OBJECTS:
        raise ValueError(f"A request carries 1 to {MAX_OBJECTS} objects, not {len(objects)}.")


def _wire(message: OutgoingMessage) -> dict[str, str]:
    return {
        "guid": str(message.guid),
        "text": message.text,
        "number": message.number,
        "source": message.source,
    }


def _read(response: requests.Response, deadline: float) -> bytes:
    """The reply's body as it came, within the deadline and the size limit.

    It is not decompressed: a compressed one was not asked for, and is not JSON.
    """
    body = bytearray()
    while chunk := response.raw.read1(64 * 1024, decode_content=False):
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            raise OutcomeUnknown("bad_reply", http_code=response.status_code)
        # A whole body counts, however late: the process may have been stopped meanwhile.
        if time.monotonic() > deadline and response.raw.length_remaining != 0:
            raise OutcomeUnknown("timeout", http_code=response.status_code)
    return bytes(body)


def _refusal(code: int) -> str:
    names = {401: "credentials", 407: "credentials", 402: "payment", 429: "rate_limited"}
    return names.get(code, "http_refused")


def _retry_after(value: str) -> float | None:
    """Seconds that the gateway asks to wait, from either form of ``Retry-After``."""
    if re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return float(value)
    try:
        seconds = (parsedate_to_datetime(value) - datetime.now(timezone.utc)).total_seconds()
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _transport_error(error: Exception) -> GatewayError:
    """What a broken transport proves: the inner error decides, never the class on top.

    The same ``ConnectionError`` is raised with the body delivered and not.
    """
    chain = list(_inner_errors(error))
    if any(isinstance(inner, UNUSABLE_ADDRESS) for inner in chain):
        return NeverLeft("request")
    if any(isinstance(inner, ssl.SSLCertVerificationError) for inner in chain):
        return NeverLeft("certificate")
    if any(isinstance(inner, (NewConnectionError, ConnectTimeoutError)) for inner in chain):
        return NeverLeft("connection")
    timed_out = any(isinstance(inner, (TransportTimeout, TimeoutError)) for inner in chain)
    return OutcomeUnknown("timeout" if timed_out else "broken")


def _inner_errors(error: BaseException, depth: int = 8) -> Iterator[BaseException]:
    yield error
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException) and depth:
            yield from _inner_errors(inner, depth - 1)
