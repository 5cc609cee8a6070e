"""The sandbox's faults by name, and the rules that say when one strikes."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from . import broken_replies
from .broken_replies import Case, Function, body, breaks_off, each, lacks, made, silent
from .server import Ending, Reply

FAULTS: dict[str, Function] = {
    # Another HTTP code, or any body: the general ones.
    "http": broken_replies.http,  # code, headers, body; nothing is taken in unless taken=True
    "code": broken_replies.another_code,  # code: the right reply under it
    "body": broken_replies.any_body,  # body, code, content_type, headers
    # Nothing is answered.
    "close_unread": silent(Ending.CLOSE),
    "reset_unread": silent(Ending.RESET),
    "close_after_read": silent(Ending.CLOSE),
    "reset_after_read": silent(Ending.RESET),
    "hang": silent(Ending.HANG),
    # The answer is broken off, slow, or too much.
    "not_http": breaks_off(b"220 smtp.example ESMTP\r\n"),
    "half_status_line": breaks_off(b"HTTP/1.1 2"),
    "half_header": breaks_off(b"HTTP/1.1 200 OK\r\nContent-Ty", code=200),
    "long_header": broken_replies.long_header,
    "many_headers": broken_replies.many_headers,
    "early_hints": broken_replies.early_hints,  # code, count: interim replies before the right one
    "late": broken_replies.late,  # seconds
    "drip_headers": broken_replies.drip_headers,  # interval: seconds between two bytes
    "drip_body": broken_replies.drip_body,  # interval
    "cut_body": broken_replies.cut_body,
    "cut_without_length": broken_replies.cut_without_length,
    "cut_chunked": broken_replies.cut_chunked,
    "bad_chunk": broken_replies.bad_chunk,
    "bad_gzip": body(b"\x1f\x8bno gzip", Content_Encoding="gzip"),
    "gzip_bomb": broken_replies.gzip_bomb,  # megabytes
    "five_megabytes": broken_replies.five_megabytes,
    "endless": broken_replies.endless,
    # The body is not the JSON it should be.
    "not_json": body(b"OK"),
    "html": body(b"<!DOCTYPE html><title>502 Bad Gateway</title>", "text/html; charset=utf-8"),
    "empty": body(b""),
    "null": body(b"null"),
    "object": made(lambda answers: answers[0] if answers else {}),
    "nested": made(lambda answers: [answers]),
    "bom": broken_replies.bom,
    "charset": broken_replies.charset,
    "deep": body(b"[" * 100_000 + b"]" * 100_000),
    "huge_int": broken_replies.huge_int,  # digits
    "nan": each(status=math.nan),
    "duplicate_keys": broken_replies.duplicate_keys,
    # The objects are not those that were asked for.
    "shuffled": made(lambda answers: answers[::-1]),
    "partial": broken_replies.partial,  # keep: how many are answered; all but the last unless told
    "doubled": made(lambda answers: [told for answer in answers for told in (answer, answer)]),
    "contradictory": broken_replies.contradictory,  # changes: what the second object says otherwise
    "strangers": made(lambda answers: [*answers, broken_replies.stranger(answers)]),
    "same_id": made(lambda answers: [{**answer, "id": answers[0]["id"]} for answer in answers]),
    # The objects hold something else.
    # changes, without, at: of every object, or of the one at a place
    "changed": broken_replies.changed,
    "extra_keys": broken_replies.extra_keys,
    "no_id": lacks("id"),
    "null_id": each(id=None),
    "int_id": each(id=58),
    "long_id": each(id="5" * 10_000),
    "other_id": each(id="f" * 24),
    "upper_guid": broken_replies.upper_guid,  # dashes
    "other_guid": each(guid="00000000-0000-4000-8000-000000000000"),
    "status": broken_replies.status,  # value
    "string_status": made(lambda answers: [{**it, "status": str(it["status"])} for it in answers]),
    "float_status": made(lambda answers: [{**it, "status": float(it["status"])} for it in answers]),
    "true_status": each(status=True),
    "false_status": each(status=False),
    "bad_date": broken_replies.bad_date,  # value
    "no_date": lacks("dateTimeSent"),
}


UNREAD = frozenset({"close_unread", "reset_unread"})


EXAMPLE = Case(answers=[{"status": 0, "guid": "g", "id": "i"}], echoes=[{}])


@dataclass(frozen=True)
class Fault:
    """A fault with its options. `taken`: the messages of the request are taken in all the same."""

    name: str
    function: Function = field(repr=False)
    options: Mapping[str, Any] = field(repr=False)
    taken: bool
    ending: Ending | None = None

    @property
    def unread(self) -> bool:
        """Whether it strikes before the body is read."""
        return self.name in UNREAD

    def reply(self, case: Case) -> Reply:
        """Return what goes over the wire in place of the right reply."""
        reply = self.function(case, **self.options)
        return reply if self.ending is None else replace(reply, ending=self.ending)


@dataclass
class Rule:
    """When a fault strikes: the next `times` requests to `path`, or each with chance `rate`."""

    fault: Fault
    path: str
    times: int | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        if self.times is not None and self.rate is not None:
            raise ValueError("times and rate exclude each other: name one of them.")
        if self.times is None and self.rate is None:
            self.times = 1
        if self.times is not None and (type(self.times) is not int or self.times < 1):
            raise ValueError("times must be a whole number, 1 or more.")
        if self.rate is not None and not _is_probability(self.rate):
            raise ValueError("rate must be a number between 0 and 1.")

    @property
    def over(self) -> bool:
        """Whether it has struck as often as it should."""
        return self.times == 0

    def told(self) -> dict[str, Any]:
        """Return the rule as JSON tells it."""
        return {"name": self.fault.name, "path": self.path, "times": self.times, "rate": self.rate}

    def strikes(self, path: str, chance: random.Random) -> bool:
        """Say whether the fault strikes this request, and count it."""
        if path != self.path or self.over:
            return False
        if self.rate is not None:
            return chance.random() < self.rate
        self.times = (self.times or 1) - 1
        return True


def _is_probability(value: object) -> bool:
    return isinstance(value, (int, float)) and type(value) is not bool and 0 <= value <= 1


def find(
    name: str, *, taken: bool | None = None, ending: str | None = None, **options: Any
) -> Fault:
    """Return the fault called `name`; `http_503` is http with that code, `code_202` likewise.

    ValueError: there is none called so (those there are are listed), or no such option or value.
    """
    numbered = re.fullmatch(r"(http|code)_([1-9][0-9]{2})", name)
    if numbered is not None:
        options["code"] = int(numbered[2])
    function = FAULTS.get(numbered[1] if numbered else name)
    if function is None:
        raise ValueError(f"No fault is called {name!r}. There are: {', '.join(sorted(FAULTS))}.")
    if taken is None:
        taken = function is not broken_replies.http and name not in UNREAD
    last = None if ending is None else Ending(ending)
    return _proved(Fault(name, function, options, taken, last))


def _proved(fault: Fault) -> Fault:
    if fault.unread and fault.taken:
        raise ValueError(f"Fault {fault.name}: what was not read can not be taken.")
    try:
        fault.reply(EXAMPLE)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"Fault {fault.name}: {error}") from error
    return fault
