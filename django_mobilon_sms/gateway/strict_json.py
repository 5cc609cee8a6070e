"""JSON read strictly: no NaN, no key twice. The gateway's replies and REST's requests share it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Pairs = list[tuple[str, Any]]


def unique_keys(pairs: Pairs) -> dict[str, Any]:
    """Return an object's pairs as a dict. Raise ``ValueError`` for a key that occurs twice."""
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("A key occurs twice.")
    return unique


def loads(text: str, *, read_object: Callable[[Pairs], dict[str, Any]] = unique_keys) -> Any:
    """Return the value of a JSON text. Raise ``ValueError`` for anything else.

    ``read_object`` makes each object of its pairs and may refuse it with a ``ValueError``.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=read_object)
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")
