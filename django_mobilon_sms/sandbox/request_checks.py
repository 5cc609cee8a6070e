"""Refusals of wrong requests. All are our inventions, because the vendor documents none."""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Collection, Mapping
from email.message import Message
from typing import Any

from .server import Reply, Request, json_reply

SEND = "/send/"
STATUS = "/status/"
METHODS = {
    SEND: ("POST",),
    STATUS: ("POST",),
    "/": ("GET",),
    "/messages.json": ("GET",),
    "/faults/": ("POST", "DELETE"),
}
FIELDS = {SEND: ("guid", "text", "number", "source"), STATUS: ("id",)}
MAX_OBJECTS = 100


def refusal(code: int, error: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a reply whose `error` says what is wrong."""
    return json_reply({"error": error}, code, headers)


def basic_token(username: str, password: str) -> bytes:
    """Return the value after `Basic` in the Authorization header, encoded in UTF-8."""
    return base64.b64encode(f"{username}:{password}".encode())


def host_refusal(headers: Message, hosts: Collection[str]) -> Reply | None:
    """Refuse (421) a request for another host: a web page could read texts by DNS rebinding.

    Every browser sends the header; a request without it comes from a program.
    """
    host = re.sub(r":\d*$", "", headers.get("Host", "")).lower()
    if not host or host in hosts:
        return None
    return refusal(421, f"This is {' or '.join(sorted(hosts))}. Name another host by --host.")


def head_refusal(request: Request, token: bytes) -> Reply | None:
    """Refuse an unknown path (404), a wrong method (405), credentials (401) or type (415)."""
    methods = METHODS.get(request.path)
    if methods is None:
        return refusal(404, f"Nothing is here. There are: {', '.join(METHODS)}.")
    if request.method not in methods:
        allowed = ", ".join(methods)
        return refusal(405, f"This path takes {allowed} only.", {"Allow": allowed})
    if not _is_authorized(request.headers, token):
        challenge = 'Basic realm="sandbox", charset="UTF-8"'
        return refusal(401, "User name and password are needed.", {"WWW-Authenticate": challenge})
    if not is_json(request.headers):
        return refusal(415, "Content-Type must be application/json.")
    return None


def _is_authorized(headers: Message, token: bytes) -> bool:
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "basic" and hmac.compare_digest(given.strip().encode(), token)


def is_json(headers: Message) -> bool:
    """Return whether the body is declared as JSON."""
    return headers.get_content_type() == "application/json"


def parsed_array(body: bytes) -> list[Any] | None:
    """Return the JSON array in `body`, or None."""
    try:
        value = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def body_refusal(path: str, objects: list[Any] | None) -> Reply | None:
    """Refuse (400) anything but an array of 1 to 100 objects with the fields of `path`."""
    if objects is None:
        return refusal(400, "The body must be a JSON array.")
    if not 1 <= len(objects) <= MAX_OBJECTS:
        return refusal(400, f"The array must hold 1 to {MAX_OBJECTS} objects, not {len(objects)}.")
    for index, value in enumerate(objects):
        if error := _error(path, value):
            return refusal(400, f"Object {index}: {error}")
    return None


def _error(path: str, value: Any) -> str:
    if not isinstance(value, dict):
        return "it must be an object."
    for name in FIELDS[path]:
        if not (isinstance(value.get(name), str) and value[name]):
            return f"{name} must be a string that is not empty."
        if re.search("[\ud800-\udfff]", value[name]):
            return f"{name} must not hold half a surrogate pair."
    if path == SEND and re.fullmatch("[0-9]+", value["number"]) is None:
        return "number must be digits only."
    return ""
