"""The sandbox's faults by name. A fault is a function that returns a reply for a case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from .records import Received
from .right_replies import Answer
from .server import JSON_TYPE, Ending, Reply, head, http_reply, json_bytes, json_reply


@dataclass(frozen=True)
class Case:
    """The objects of the right reply, and the message of each; None for an id set by a test."""

    answers: list[Answer] = field(repr=False)
    messages: list[Received | None] = field(repr=False)


Function = Callable[..., Reply]


def http(
    case: Case, *, code: int = 500, headers: Mapping[str, str] | None = None, body: str | bytes = ""
) -> Reply:
    """Answer an HTTP error."""
    return any_body(
        case, body=body, code=code, content_type="text/plain; charset=utf-8", headers=headers
    )


def another_code(case: Case, *, code: int = 201) -> Reply:
    """Answer correctly under another HTTP code."""
    reply = json_reply(case.answers, code)
    return replace(reply, ending=Ending.CLOSE) if code in (204, 304) else reply


def any_body(
    case: Case,
    *,
    body: str | bytes = "",
    code: int = 200,
    content_type: str = JSON_TYPE,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Answer this body."""
    raw = body.encode() if isinstance(body, str) else body
    return http_reply(code, raw, content_type, headers)


def changed(
    case: Case,
    *,
    changes: Answer | None = None,
    without: tuple[str, ...] = (),
    at: int | None = None,
) -> Reply:
    """Change and remove keys of every object, or only of the object at index `at`."""
    answers = [dict(answer) for answer in case.answers]
    for answer in answers if at is None else answers[at : at + 1]:
        answer.update(changes or {})
        for key in without:
            answer.pop(key, None)
    return json_reply(answers)


def status(case: Case, *, value: object = 5) -> Reply:
    """Answer another status for every message."""
    return changed(case, changes={"status": value})


def partial(case: Case, *, keep: int = -1) -> Reply:
    """Answer only the first `keep` objects; by default all but the last."""
    return json_reply(case.answers[:keep])


def not_json(case: Case) -> Reply:
    """Answer a body that is not JSON."""
    return any_body(case, body="OK")


def silent(ending: Ending, *, unread: bool = False) -> Function:
    """Return a fault that sends nothing and ends the connection like this."""
    return lambda case: Reply(None, ending=ending, unread=unread)


def late(case: Case, *, seconds: float = 1.0) -> Reply:
    """Answer correctly after this time."""
    return replace(json_reply(case.answers), delay=float(seconds))


def drip_body(case: Case, *, interval: float = 0.1) -> Reply:
    """Answer correctly, with `interval` seconds between two bytes of the body."""
    start, raw = right(case)
    return Reply(200, [start, *(bytes([byte]) for byte in raw)], interval=float(interval))


def cut_body(case: Case) -> Reply:
    """Close the connection in the middle of the body."""
    start, raw = right(case)
    return Reply(200, [start + raw[: len(raw) // 2]], ending=Ending.CLOSE)


def right(case: Case) -> tuple[bytes, bytes]:
    """Return head and body of the right reply."""
    raw = json_bytes(case.answers)
    return head(200, {"Content-Type": JSON_TYPE, "Content-Length": str(len(raw))}), raw


FAULTS: dict[str, Function] = {
    # The general ones: with their options they make most others.
    "http": http,  # code, headers, body; the messages are not accepted unless taken=True
    "code": another_code,  # code
    "body": any_body,  # body, code, content_type, headers
    "changed": changed,  # changes, without, at
    # The right reply, with something else in it.
    "status": status,  # value
    "partial": partial,  # keep
    "not_json": not_json,
    # No reply, a slow one, or half of it.
    "reset_unread": silent(Ending.RESET, unread=True),
    "reset_after_read": silent(Ending.RESET),
    "close_after_read": silent(Ending.CLOSE),
    "hang": silent(Ending.HANG),
    "late": late,  # seconds
    "drip_body": drip_body,  # interval
    "cut_body": cut_body,
}
