"""Replies that no gateway should give, by name, for ``Sandbox(faults=BROKEN_REPLIES)``."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import uuid
from collections.abc import Callable
from typing import Any

from django_mobilon_sms.sandbox import Case, Ending, Reply, http_reply, json_reply
from django_mobilon_sms.sandbox.broken_replies import Function, changed, right, silent
from django_mobilon_sms.sandbox.server import JSON_TYPE, head, json_bytes

Answer = dict[str, Any]
MEGABYTE = 1024 * 1024


# The reply is broken off, slow, or too much


def breaks_off(raw: bytes, code: int | None = None) -> Function:
    """Return a fault that sends these bytes and closes the connection."""
    return lambda case: Reply(code, [raw], ending=Ending.CLOSE)


def long_header(case: Case) -> Reply:
    return json_reply(case.answers, headers={"X-Long": "x" * 70_000})


def many_headers(case: Case) -> Reply:
    return json_reply(case.answers, headers={f"X-{number}": "x" for number in range(200)})


def early_hints(case: Case, *, code: int = 100, count: int = 1) -> Reply:
    return Reply(200, [head(code, {}) * count + b"".join(right(case))])


def drip_headers(case: Case, *, interval: float = 0.1) -> Reply:
    start, raw = right(case)
    return Reply(200, [*(bytes([byte]) for byte in start), raw], interval=float(interval))


def cut_without_length(case: Case) -> Reply:
    start, raw = head(200, {"Content-Type": JSON_TYPE, "Connection": "close"}), right(case)[1]
    return Reply(200, [start + raw[: len(raw) // 2]], ending=Ending.CLOSE)


def cut_chunked(size: bytes) -> Function:
    """Return a fault that closes the connection after a first chunk said to be of this size."""
    start = head(200, {"Content-Type": JSON_TYPE, "Transfer-Encoding": "chunked"})

    def reply(case: Case) -> Reply:
        chunk = size + b"\r\n" + json_bytes(case.answers)[:20] + b"\r\n"
        return Reply(200, [start + chunk], ending=Ending.CLOSE)

    return reply


def gzip_bomb(case: Case, *, megabytes: int = 20) -> Reply:
    raw = gzip.compress(json_bytes(case.answers) + b" " * (megabytes * MEGABYTE), compresslevel=1)
    return http_reply(200, raw, JSON_TYPE, {"Content-Encoding": "gzip"})


def five_megabytes(case: Case) -> Reply:
    return http_reply(200, json_bytes(case.answers) + b" " * (5 * MEGABYTE), JSON_TYPE)


def endless(case: Case) -> Reply:
    start = head(200, {"Content-Type": JSON_TYPE, "Connection": "close"}) + b"["
    blanks = itertools.repeat(b" " * 65536)
    return Reply(200, itertools.chain([start], blanks), interval=0.001, ending=Ending.CLOSE)


# The body is not the JSON that it should be


def body(raw: bytes, content_type: str = JSON_TYPE, **headers: str) -> Function:
    """Return a fault that always answers 200 with these bytes."""
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda case: http_reply(200, raw, content_type, extra)


def bom(case: Case) -> Reply:
    return http_reply(200, b"\xef\xbb\xbf" + json_bytes(case.answers), JSON_TYPE)


def charset(case: Case) -> Reply:
    answers = [{**answer, "comment": "принято"} for answer in case.answers]
    raw = json.dumps(answers, ensure_ascii=False).encode("cp1251")
    return http_reply(200, raw, "application/json; charset=windows-1251")


def huge_int(case: Case, *, digits: int = 5000) -> Reply:
    text = json_bytes([{**answer, "status": "HUGE"} for answer in case.answers])
    return http_reply(200, text.replace(b'"HUGE"', b"9" * digits), JSON_TYPE)


def duplicate_keys(case: Case) -> Reply:
    objects = [b'{"status": 99, ' + json_bytes(answer)[1:] for answer in case.answers]
    return http_reply(200, b"[" + b", ".join(objects) + b"]", JSON_TYPE)


# The objects are others, or hold something else


def made(change: Callable[[list[Answer]], object]) -> Function:
    """Return a fault that answers the result of ``change`` on the right objects."""
    return lambda case: json_reply(change(case.answers))


def each(**changes: object) -> Function:
    """Return a fault that changes these keys of every object."""
    return lambda case: changed(case, changes=changes)


def lacks(key: str) -> Function:
    """Return a fault that leaves this key out of every object."""
    return lambda case: changed(case, without=(key,))


def contradictory(case: Case, *, changes: Answer | None = None) -> Reply:
    other = {"status": 99} if changes is None else changes
    pairs = [(answer, {**answer, **other}) for answer in case.answers]
    return json_reply([answer for pair in pairs for answer in pair])


def stranger(answers: list[Answer]) -> Answer:
    """Return an object about a message that nobody asked for."""
    first = answers[0] if answers else {"status": 0}
    return {**first, "guid": str(uuid.uuid4()), "id": uuid.uuid4().hex[:24]}


def extra_keys(case: Case) -> Reply:
    echoes = [
        {name: getattr(message, name) for name in ("text", "number", "source") if message}
        for message in case.messages
    ]
    pairs = zip(case.answers, echoes, strict=True)
    return json_reply([{**answer, **echo, "price": 2.5} for answer, echo in pairs])


def upper_guid(case: Case, *, dashes: bool = True) -> Reply:
    guids = [str(answer.get("guid", "")).upper() for answer in case.answers]
    if not dashes:
        guids = [guid.replace("-", "") for guid in guids]
    return json_reply(
        [{**answer, "guid": guid} for answer, guid in zip(case.answers, guids, strict=True)]
    )


def bad_date(case: Case, *, value: object = "yesterday") -> Reply:
    return changed(case, changes={"dateTimeSent": value})


BROKEN_REPLIES: dict[str, Function] = {
    # The reply is missing, broken off, slow, or too much.
    "close_unread": silent(Ending.CLOSE, unread=True),
    "not_http": breaks_off(b"220 smtp.example ESMTP\r\n"),
    "half_status_line": breaks_off(b"HTTP/1.1 2"),
    "half_header": breaks_off(b"HTTP/1.1 200 OK\r\nContent-Ty", code=200),
    "long_header": long_header,
    "many_headers": many_headers,
    "early_hints": early_hints,  # code, count: interim replies before the right one
    "drip_headers": drip_headers,  # interval: seconds between two bytes
    "cut_without_length": cut_without_length,
    "cut_chunked": cut_chunked(b"14"),
    "bad_chunk": cut_chunked(b"no number"),
    "bad_gzip": body(b"\x1f\x8bno gzip", Content_Encoding="gzip"),
    "gzip_bomb": gzip_bomb,  # megabytes
    "five_megabytes": five_megabytes,
    "endless": endless,
    # The body is not the JSON that it should be.
    "html": body(b"<!DOCTYPE html><title>502 Bad Gateway</title>", "text/html; charset=utf-8"),
    "empty": body(b""),
    "null": body(b"null"),
    "object": made(lambda answers: answers[0] if answers else {}),
    "nested": made(lambda answers: [answers]),
    "bom": bom,
    "charset": charset,
    "deep": body(b"[" * 100_000 + b"]" * 100_000),
    "huge_int": huge_int,  # digits
    "nan": each(status=math.nan),
    "duplicate_keys": duplicate_keys,
    # The objects are not those that were asked for.
    "shuffled": made(lambda answers: answers[::-1]),
    "doubled": made(lambda answers: [answer for pair in zip(answers, answers) for answer in pair]),
    "contradictory": contradictory,  # changes: of the second object of each pair
    "strangers": made(lambda answers: [*answers, stranger(answers)]),
    "same_id": made(lambda answers: [{**answer, "id": answers[0]["id"]} for answer in answers]),
    # The objects hold something else.
    "extra_keys": extra_keys,
    "no_id": lacks("id"),
    "null_id": each(id=None),
    "int_id": each(id=58),
    "long_id": each(id="5" * 10_000),
    "other_id": each(id="f" * 24),
    "upper_guid": upper_guid,  # dashes
    "other_guid": each(guid="00000000-0000-4000-8000-000000000000"),
    "string_status": made(lambda answers: [{**it, "status": str(it["status"])} for it in answers]),
    "float_status": made(lambda answers: [{**it, "status": float(it["status"])} for it in answers]),
    "true_status": each(status=True),
    "false_status": each(status=False),
    "bad_date": bad_date,  # value
    "no_date": lacks("dateTimeSent"),
}
