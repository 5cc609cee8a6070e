"""The panel under a text: its alphabet, its segments, and the characters that cost more."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _

from ...conf import conf
from ...segments import GSM7_BASIC, GSM7_EXTENSION, PLAIN_FORMS, Alphabet, count_segments

#: Characters that the panel lists, of those that need UCS-2.
MAX_CHARACTERS = 12

#: What the counter in the browser needs, as JSON in an attribute because no script is inline.
TABLES = {
    "basic": "".join(sorted(GSM7_BASIC)),
    "extension": "".join(sorted(GSM7_EXTENSION)),
    "plain": PLAIN_FORMS,
}


def panel(text: str, *, recipient_count: int | None = None) -> dict[str, Any]:
    """Return the context of the panel. Without ``recipient_count``, it shows no total."""
    counted = count_segments(text.replace("\r\n", "\n"))
    replaceable = [char for char in counted.ucs2_characters if char in PLAIN_FORMS]
    others = [char for char in counted.ucs2_characters if char not in PLAIN_FORMS]
    labels = {Alphabet.GSM7: _("GSM-7: Latin letters"), Alphabet.UCS2: _("UCS-2: any letters")}
    return {
        "gsm7": labels[Alphabet.GSM7],
        "ucs2": labels[Alphabet.UCS2],
        "alphabet": labels[counted.alphabet],
        "segments": counted.count,
        "allowed": conf.MAX_SEGMENTS,
        "over": counted.count > conf.MAX_SEGMENTS,
        "remaining": counted.remaining,
        "total": None if recipient_count is None else counted.count * recipient_count,
        "max_characters": MAX_CHARACTERS,
        "characters": _spaced(others[:MAX_CHARACTERS])
        + (" …" if len(others) > MAX_CHARACTERS else ""),
        "replaceable": _spaced(replaceable),
        "tables": json.dumps(TABLES, ensure_ascii=False),
    }


def _spaced(characters: Iterable[str]) -> str:
    """Return the characters on one line, with a mark for the invisible ones."""
    return " ".join(char if char.isprintable() else "␣" for char in characters)
