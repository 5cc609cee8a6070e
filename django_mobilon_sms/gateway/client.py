"""Adapter to the Mobilon GSM API, and the only code that speaks HTTP; it uses no Django.

The API is ``POST send/`` and ``POST status/``, each with basic auth and a JSON array of at most 100
objects. The vendor documents no errors, so each failure is sorted by what it proves:

* ``NeverLeft``: it failed before the first byte of the request could be written, for example
  because no connection was made or the certificate is not trusted.
* ``Refused``: an HTTP code that is taken as a refusal.
* ``OutcomeUnknown``: all else, such as a timeout, a broken connection or an unreadable reply. The
  gateway may have sent the messages.
"""

from __future__ import annotations

import json
import math
import re
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.exceptions import TimeoutError as TransportTimeout

from ..exceptions import REFUSED_HTTP_CODES, GatewayError, NeverLeft, OutcomeUnknown, Refused
from .backend import MAX_OBJECTS, OutgoingMessage
from .calls import Call
from .clock import uptime
from .connections import Connections
from .reply_parser import SendResult, StatusReport, parse, send_results, status_reports

MAX_REPLY_BYTES = 1024 * 1024

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "django-mobilon-sms",
}

#: Codes that reject the message if it was alone in its request.
REJECTED_ALONE_HTTP_CODES = frozenset({400, 422})

#: Names of refusals; other codes are "http_refused".
REFUSALS = {401: "credentials", 407: "credentials", 402: "payment", 429: "rate_limited"}

#: Errors that prove that no part of the request was sent, by the code of ``NeverLeft``.
NEVER_LEFT = {
    "request": (InvalidURL, InvalidSchema, MissingSchema, LocationParseError),
    "certificate": (ssl.SSLCertVerificationError,),
}


class MobilonGateway:
    """Backend that sends through the Mobilon GSM API.

    ``timeout`` is in seconds, for a whole request. ``refused_http_codes`` prove that the gateway
    accepted nothing of a request; if it is empty, no code proves a refusal.
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
        self._status_connections = Connections()

    def send(
        self, messages: Sequence[OutgoingMessage], *, call: Call | None = None
    ) -> list[SendResult]:
        """POST 1 to 100 messages once, over a fresh connection, as the call allows.

        Return the reply's objects for these messages in the reply's order: none, one or several for
        each guid. Raise ``ValueError`` before any network access if the number of messages is wrong
        or a guid occurs twice, and a ``GatewayError`` for every later failure.
        """
        objects = [_wire(message) for message in messages]
        _require_valid("guid", [wired["guid"] for wired in objects])
        # A kept connection that the gateway is just closing fails in the same way as one that
        # breaks after the gateway took the messages, so each batch gets a fresh connection.
        connections = Connections(most=1)
        try:
            reply = self._post(connections, "send/", objects, {"Connection": "close"}, call)
        finally:
            connections.close()
        return list(send_results(reply, [message.guid for message in messages]))

    def status(self, ids: Sequence[str], *, call: Call | None = None) -> list[StatusReport]:
        """Query the statuses of 1 to 100 messages by the gateway's ids; safe to repeat.

        Return the reply's readable objects for these ids. Raise like ``send()``.
        """
        _require_valid("id", ids)
        objects = [{"id": id_} for id_ in ids]
        headers = {"Connection": "keep-alive"}
        reply = self._post(self._status_connections, "status/", objects, headers, call)
        return list(status_reports(reply, set(ids)))

    def close(self) -> None:
        """Close the connections that were kept for status queries."""
        self._status_connections.close()

    def _post(
        self,
        connections: Connections,
        path: str,
        objects: Sequence[object],
        headers: Mapping[str, str],
        call: Call | None,
    ) -> list[Any]:
        call = call or Call(self._timeout)
        request = self._prepare(path, objects, headers)
        try:
            with connections.post(request, call) as response:
                self._require_success(response, alone=len(objects) == 1)
                body = _read(response, call)
        except GatewayError:
            raise
        except Exception as error:
            raise transport_error(error, call) from None
        finally:
            call.close()
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
        except (OSError, HTTPError, ValueError):  # such as LocationParseError and UnicodeError
            raise NeverLeft("request") from None

    def _require_success(self, response: requests.Response, *, alone: bool) -> None:
        code = response.status_code
        if 200 <= code < 300:
            return
        if alone and self._refused_http_codes and code in REJECTED_ALONE_HTTP_CODES:
            raise Refused("rejected", http_code=code)
        if code in self._refused_http_codes:
            wait = _retry_after(response.headers.get("Retry-After", "")) if code == 429 else None
            name = REFUSALS.get(code, "http_refused")
            raise Refused(name, http_code=code, retry_after=wait)
        raise OutcomeUnknown("redirect" if 300 <= code < 400 else "http_error", http_code=code)


def _require_valid(name: str, keys: Sequence[object]) -> None:
    if len(set(keys)) != len(keys):
        raise ValueError(f"The same {name} is given twice.")
    if not 1 <= len(keys) <= MAX_OBJECTS:
        raise ValueError(f"A request carries 1 to {MAX_OBJECTS} objects, not {len(keys)}.")


def _wire(message: OutgoingMessage) -> dict[str, str]:
    return {
        "guid": str(message.guid),
        "text": message.text,
        "number": message.number,
        "source": message.source,
    }


def _read(response: requests.Response, call: Call) -> bytes:
    """Return the reply's raw body, read within the call's deadline and the size limit.

    It is not decompressed, because the request does not allow compression.
    """
    body = bytearray()
    while chunk := _read_some(response):
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            raise OutcomeUnknown("bad_reply", http_code=response.status_code)
        # A complete body counts even after the deadline, for example after the process was stopped.
        if uptime() > call.deadline and response.raw.length_remaining != 0:
            raise OutcomeUnknown("timeout", http_code=response.status_code)
    return bytes(body)


def _read_some(response: requests.Response) -> bytes:
    try:
        chunk: bytes = response.raw.read1(64 * 1024, decode_content=False)
    except TransportTimeout:
        raise OutcomeUnknown("timeout", http_code=response.status_code) from None
    return chunk


def _retry_after(value: str) -> float | None:
    """Return the seconds to wait from a ``Retry-After`` header: a number or a date."""
    if re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return float(value)
    try:
        seconds = (parsedate_to_datetime(value) - datetime.now(timezone.utc)).total_seconds()
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def transport_error(error: Exception, call: Call) -> Exception:
    """Return what a transport error proves, or the error itself if it is unforeseen.

    The inner errors give the name, because ``requests`` raises the same ``ConnectionError`` for
    most of them.
    """
    chain = list(_inner_errors(error))
    for code, kinds in NEVER_LEFT.items():
        if not call.is_writing and any(isinstance(inner, kinds) for inner in chain):
            return NeverLeft(code)
    if call.has_not_left:
        return NeverLeft("connection")
    if not isinstance(error, (OSError, HTTPError)):  # errors of requests are OSErrors
        return error
    timed_out = any(isinstance(inner, (TransportTimeout, TimeoutError)) for inner in chain)
    return OutcomeUnknown("timeout" if timed_out else "broken")


def _inner_errors(error: BaseException, depth: int = 8) -> Iterator[BaseException]:
    yield error
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException) and depth:
            yield from _inner_errors(inner, depth - 1)
