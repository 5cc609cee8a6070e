"""Faults with their options, and the rules that decide when one strikes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .broken_replies import Case, Function, http
from .server import Ending, Reply, json_reply

EXAMPLE = Case(answers=[{"status": 0, "guid": "g", "id": "i"}], messages=[None])


@dataclass(frozen=True)
class Fault:
    """A fault with its options.

    `reply` returns what is sent in place of the right reply. `taken` says whether the messages of
    the request are accepted nevertheless, `unread` whether the fault strikes before its body is
    read.
    """

    name: str
    reply: Callable[[Case], Reply] = field(repr=False)
    taken: bool
    unread: bool


NO_FAULT = Fault("", lambda case: json_reply(case.answers), taken=True, unread=False)


@dataclass
class Rule:
    """A fault for the next `times` requests to `path`, or for each with probability `rate`."""

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
        """Whether the fault has struck as often as it should."""
        return self.times == 0

    def as_json(self) -> dict[str, Any]:
        """Return the rule without the options of its fault."""
        return {"name": self.fault.name, "path": self.path, "times": self.times, "rate": self.rate}

    def strikes(self, path: str, chance: random.Random) -> bool:
        """Return whether the fault strikes this request, and count it."""
        if path != self.path or self.over:
            return False
        if self.rate is not None:
            return chance.random() < self.rate
        self.times = (self.times or 1) - 1
        return True


def _is_probability(value: object) -> bool:
    return isinstance(value, (int, float)) and type(value) is not bool and 0 <= value <= 1


def find(
    functions: Mapping[str, Function],
    name: str,
    /,
    *,
    taken: bool | None = None,
    ending: str | None = None,
    **options: Any,
) -> Fault:
    """Return the fault called `name`; `http_503` is `http` with that code, `code_202` likewise.

    ValueError: no such fault (the message lists all of them), option or value.
    """
    numbered = re.fullmatch(r"(http|code)_([1-9][0-9]{2})", name)
    if numbered is not None:
        options["code"] = int(numbered[2])
    function = functions.get(numbered[1] if numbered else name)
    if function is None:
        raise ValueError(f"No fault is called {name!r}. There are: {', '.join(sorted(functions))}.")
    last = None if ending is None else Ending(ending)

    def reply(case: Case) -> Reply:
        reply = function(case, **options)
        return replace(reply, ending=last or reply.ending)

    try:
        unread = reply(EXAMPLE).unread
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"Fault {name}: {error}") from error
    if taken and unread:
        raise ValueError(f"Fault {name}: messages that were not read cannot be taken.")
    default = function is not http and not unread
    return Fault(name, reply, default if taken is None else taken, unread)
