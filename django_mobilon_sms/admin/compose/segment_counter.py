"""The panel under a text that is being written: its alphabet, its parts, what costs more."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _

from ...conf import conf
from ...segments import GSM7_BASIC, GSM7_EXTENSION, PLAIN_FORMS, Alphabet, count_segments

#: How many of the characters that need UCS-2 are shown.
MOST = 12


#: What the counter in the browser needs to know, as JSON in an attribute: no script is inline.
TABLES = {
    "basic": "".join(sorted(GSM7_BASIC)),
    "extension": "".join(sorted(GSM7_EXTENSION)),
    "plain": PLAIN_FORMS,
}


def panel(text: str, *, recipients: int | None = None) -> dict[str, Any]:
    """What it shows of this text, and what it needs to go on counting in the browser.

    ``recipients`` is how many get it, as far as that is known; ``None`` shows no total.
    """
    text = text.replace("\r\n", "\n")
    counted = count_segments(text)
    needing = counted.ucs2_characters
    others = [each for each in needing if each not in PLAIN_FORMS]
    labels = {Alphabet.GSM7: _("GSM-7: Latin letters"), Alphabet.UCS2: _("UCS-2: any letters")}
    return {
        "gsm7": labels[Alphabet.GSM7],
        "ucs2": labels[Alphabet.UCS2],
        "alphabet": labels[counted.alphabet],
        "parts": counted.count,
        "allowed": conf.MAX_SEGMENTS,
        "over": counted.count > conf.MAX_SEGMENTS,
        "remaining": counted.remaining,
        "total": None if recipients is None else counted.count * recipients,
        "most": MOST,
        "characters": _shown(others[:MOST]) + (" …" if len(others) > MOST else ""),
        "typography": _shown(each for each in needing if each in PLAIN_FORMS),
        "tables": json.dumps(TABLES, ensure_ascii=False),
    }


def _shown(characters: Iterable[str]) -> str:
    """In one line, with a mark for what has no look of its own."""
    return " ".join(each if each.isprintable() else "␣" for each in characters)
