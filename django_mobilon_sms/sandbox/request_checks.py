"""What the sandbox refuses. The vendor documents no refusal: all of it is our invention."""

from __future__ import annotations

import base64
import hmac
import json
import re
from email.message import Message
from typing import Any

from .broken_replies import json_reply
from .server import Reply, Request

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


def refusal(code: int, sentence: str, **headers: str) -> Reply:
    """Return an answer whose `error` says what is wrong; `_` in a header's name is read as `-`."""
    return json_reply(
        {"error": sentence},
        code,
        {name.replace("_", "-"): value for name, value in headers.items()},
    )


def basic_token(username: str, password: str) -> bytes:
    """Return what follows `Basic` in the header of these credentials, in UTF-8."""
    return base64.b64encode(f"{username}:{password}".encode())


def head_refusal(request: Request, token: bytes) -> Reply | None:
    """Refuse an unknown path (404), another method (405), a stranger (401), another type (415)."""
    methods = METHODS.get(request.path)
    if methods is None:
        return refusal(404, f"Nothing is here. There are: {', '.join(METHODS)}.")
    if request.method not in methods:
        allowed = ", ".join(methods)
        return refusal(405, f"This path takes {allowed} only.", Allow=allowed)
    if not _is_authorized(request.headers, token):
        challenge = 'Basic realm="sandbox", charset="UTF-8"'
        return refusal(401, "User name and password are needed.", WWW_Authenticate=challenge)
    return (
        None if is_json(request.headers) else refusal(415, "Content-Type must be application/json.")
    )


def _is_authorized(headers: Message, token: bytes) -> bool:
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "basic" and hmac.compare_digest(given.strip().encode(), token)


def is_json(headers: Message) -> bool:
    """Say whether the body is declared as JSON."""
    return headers.get_content_type() == "application/json"


def parsed_array(body: bytes) -> list[Any] | None:
    """Return the JSON array in `body`, None where there is none."""
    try:
        value = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def body_refusal(path: str, objects: list[Any] | None) -> Reply | None:
    """Refuse with 400 what is no array of 1 to 100 objects with the fields of `path` as strings."""
    if objects is None:
        return refusal(400, "The body must be a JSON array.")
    if not 1 <= len(objects) <= MAX_OBJECTS:
        return refusal(400, f"The array must hold 1 to {MAX_OBJECTS} objects, not {len(objects)}.")
    wrongs = ((place, _wrong(path, value)) for place, value in enumerate(objects))
    wrong = next(((place, wrong) for place, wrong in wrongs if wrong), None)
    return refusal(400, f"Object {wrong[0]}: {wrong[1]}") if wrong else None


def _wrong(path: str, value: Any) -> str:
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
