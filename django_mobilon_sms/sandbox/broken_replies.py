"""Replies that no gateway should give, each from a function; `sandbox_faults` holds their names."""

from __future__ import annotations

import gzip
import itertools
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .server import JSON_TYPE, Ending, Reply, head, http_reply

Answer = dict[str, Any]


MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Case:
    """What a fault starts from: the right objects, and text, number, source of their messages."""

    answers: list[Answer] = field(repr=False)
    echoes: list[Answer] = field(repr=False)


Function = Callable[..., Reply]


def json_reply(value: object, code: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return `value` as a JSON reply."""
    return http_reply(code, _json(value), JSON_TYPE, headers)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _singly(raw: bytes) -> list[bytes]:
    return [raw[place : place + 1] for place in range(len(raw))]


def http(
    case: Case, *, code: int = 500, headers: Mapping[str, str] | None = None, body: str | bytes = ""
) -> Reply:
    return http_reply(code, _bytes(body), "text/plain; charset=utf-8", headers)


def another_code(case: Case, *, code: int = 201) -> Reply:
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
    return http_reply(code, _bytes(body), content_type, headers)


def body(raw: bytes, content_type: str = JSON_TYPE, **headers: str) -> Function:
    """Return a fault that always answers 200 with `raw`."""
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda case: http_reply(200, raw, content_type, extra)


def bom(case: Case) -> Reply:
    return http_reply(200, b"\xef\xbb\xbf" + _json(case.answers), JSON_TYPE)


def charset(case: Case) -> Reply:
    told = [{**answer, "comment": "принято"} for answer in case.answers]
    raw = json.dumps(told, ensure_ascii=False).encode("cp1251")
    return http_reply(200, raw, "application/json; charset=windows-1251")


def huge_int(case: Case, *, digits: int = 5000) -> Reply:
    text = _json([{**answer, "status": "HUGE"} for answer in case.answers])
    return http_reply(200, text.replace(b'"HUGE"', b"9" * digits), JSON_TYPE)


def duplicate_keys(case: Case) -> Reply:
    objects = [b'{"status": 99, ' + _json(answer)[1:] for answer in case.answers]
    return http_reply(200, b"[" + b", ".join(objects) + b"]", JSON_TYPE)


def five_megabytes(case: Case) -> Reply:
    return http_reply(200, _json(case.answers) + b" " * (5 * MEGABYTE), JSON_TYPE)


def gzip_bomb(case: Case, *, megabytes: int = 20) -> Reply:
    raw = gzip.compress(_json(case.answers) + b" " * (megabytes * MEGABYTE), compresslevel=1)
    return http_reply(200, raw, JSON_TYPE, {"Content-Encoding": "gzip"})


def each(**changes: object) -> Function:
    """Return a fault that changes these keys of every object."""
    return lambda case: json_reply([{**answer, **changes} for answer in case.answers])


def made(change: Callable[[list[Answer]], object]) -> Function:
    """Return a fault that answers what `change` makes of the right objects."""
    return lambda case: json_reply(change(case.answers))


def changed(
    case: Case,
    *,
    changes: Answer | None = None,
    without: tuple[str, ...] = (),
    at: int | None = None,
) -> Reply:
    told = [dict(answer) for answer in case.answers]
    for answer in told if at is None else told[at : at + 1]:
        answer.update(changes or {})
        for key in without:
            answer.pop(key, None)
    return json_reply(told)


def lacks(key: str) -> Function:
    """Return a fault that leaves this key out of every object."""
    return lambda case: changed(case, without=(key,))


def status(case: Case, *, value: object = 5) -> Reply:
    return changed(case, changes={"status": value})


def bad_date(case: Case, *, value: object = "yesterday") -> Reply:
    return changed(case, changes={"dateTimeSent": value})


def upper_guid(case: Case, *, dashes: bool = True) -> Reply:
    told = [{**answer, "guid": str(answer.get("guid", "")).upper()} for answer in case.answers]
    for answer in told if not dashes else []:
        answer["guid"] = answer["guid"].replace("-", "")
    return json_reply(told)


def partial(case: Case, *, keep: int | None = None) -> Reply:
    return json_reply(case.answers[: -1 if keep is None else keep])


def contradictory(case: Case, *, changes: Answer | None = None) -> Reply:
    other = {"status": 99} if changes is None else changes
    return json_reply([told for answer in case.answers for told in (answer, {**answer, **other})])


def extra_keys(case: Case) -> Reply:
    pairs = zip(case.answers, case.echoes, strict=True)
    return json_reply([{**answer, **echo, "price": 2.5} for answer, echo in pairs])


def stranger(answers: list[Answer]) -> Answer:
    """Return an object about a message that nobody asked for."""
    first = answers[0] if answers else {"status": 0}
    return {**first, "guid": str(uuid.uuid4()), "id": uuid.uuid4().hex[:24]}


def right(case: Case) -> tuple[bytes, bytes]:
    """Return head and body of the right reply."""
    raw = _json(case.answers)
    return head(200, {"Content-Type": JSON_TYPE, "Content-Length": str(len(raw))}), raw


def silent(ending: Ending) -> Function:
    return lambda case: Reply(None, ending=ending)


def breaks_off(raw: bytes, code: int | None = None) -> Function:
    return lambda case: Reply(code, [raw], ending=Ending.CLOSE)


def late(case: Case, *, seconds: float = 1.0) -> Reply:
    return Reply(200, [b"".join(right(case))], delay=float(seconds))


def drip_headers(case: Case, *, interval: float = 0.1) -> Reply:
    start, raw = right(case)
    return Reply(200, [*_singly(start), raw], interval=float(interval))


def drip_body(case: Case, *, interval: float = 0.1) -> Reply:
    start, raw = right(case)
    return Reply(200, [start, *_singly(raw)], interval=float(interval))


def early_hints(case: Case, *, code: int = 100, count: int = 1) -> Reply:
    return Reply(200, [head(code, {}) * count + b"".join(right(case))])


def long_header(case: Case) -> Reply:
    return json_reply(case.answers, headers={"X-Long": "x" * 70_000})


def many_headers(case: Case) -> Reply:
    return json_reply(case.answers, headers={f"X-{number}": "x" for number in range(200)})


def cut_body(case: Case) -> Reply:
    start, raw = right(case)
    return Reply(200, [start + raw[: len(raw) // 2]], ending=Ending.CLOSE)


def cut_without_length(case: Case) -> Reply:
    start, raw = head(200, {"Content-Type": JSON_TYPE, "Connection": "close"}), right(case)[1]
    return Reply(200, [start + raw[: len(raw) // 2]], ending=Ending.CLOSE)


def chunked(case: Case, size: bytes | None = None) -> Reply:
    """Break off after a first chunk, which may name a wrong `size`."""
    start = head(200, {"Content-Type": JSON_TYPE, "Transfer-Encoding": "chunked"})
    half = _json(case.answers)[:20]
    told = b"%x" % len(half) if size is None else size
    return Reply(200, [start + told + b"\r\n" + half + b"\r\n"], ending=Ending.CLOSE)


def cut_chunked(case: Case) -> Reply:
    return chunked(case)


def bad_chunk(case: Case) -> Reply:
    return chunked(case, b"no number")


def endless(case: Case) -> Reply:
    start = head(200, {"Content-Type": JSON_TYPE, "Connection": "close"}) + b"["
    blanks = itertools.repeat(b" " * 65536)
    return Reply(200, itertools.chain([start], blanks), interval=0.001, ending=Ending.CLOSE)
