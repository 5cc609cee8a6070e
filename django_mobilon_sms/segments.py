"""Count the segments of a text by the rules of 3GPP TS 23.038.

The count is an estimate for people and limits. The gateway counts what it bills.
"""

import enum
import re
from dataclasses import dataclass

# The GSM 7-bit default alphabet, in the order of its table, without the escape.
GSM7_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each of these takes two septets: the escape and a second one.
GSM7_EXTENSION = frozenset("\f^{}\\[~]|€")
GSM7 = GSM7_BASIC | GSM7_EXTENSION
_ESCAPE = "\x1b"

#: Typographic characters that GSM-7 lacks, and the plain characters people type instead.
PLAIN_FORMS = {
    **dict.fromkeys("«»„“”‟″", '"'),
    **dict.fromkeys("‘’‚‛′`´", "'"),
    **dict.fromkeys("\u2010\u2011\u2012–—―−", "-"),
    **dict.fromkeys("\t\u00a0\u2002\u2003\u2007\u2009\u200a\u202f", " "),
    **dict.fromkeys("\u00ad\u200b\u200c\u2060\ufeff", ""),
    "…": "...",
    "№": "N",
    "•": "-",
}
_PLAIN = str.maketrans(PLAIN_FORMS)


class Alphabet(str, enum.Enum):
    """The two encodings of a text."""

    GSM7 = "GSM-7"
    """Septets: 160 in a single segment, 153 in each of several."""

    UCS2 = "UCS-2"
    """UTF-16 code units: 70 in a single segment, 67 in each of several."""


# Units in a single segment, and in each of several, where a header takes six octets.
_CAPACITY = {Alphabet.GSM7: (160, 153), Alphabet.UCS2: (70, 67)}
# Two units that must stay in one segment.
_PAIR = {
    Alphabet.GSM7: re.compile(f"{_ESCAPE}."),
    Alphabet.UCS2: re.compile("[\ud800-\udbff][\udc00-\udfff]"),
}
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Segments:
    """The size of a text in segments."""

    alphabet: Alphabet
    count: int
    """Segments; 0 for an empty text."""
    units: int
    """Septets (GSM-7) or UTF-16 code units (UCS-2) of the text, without headers and padding."""
    remaining: int
    """Units that still fit into the last segment; for an empty text, into the first."""
    ucs2_characters: tuple[str, ...]
    """The distinct characters that GSM-7 lacks, in order of appearance; empty for GSM-7."""


def count_segments(text: str) -> Segments:
    """Count the segments of a text exactly as given, with its line ends and spaces.

    Takes time linear in the length of the text. A lone surrogate counts as one unit.
    Source: 3GPP TS 23.038, sections 6.1 and 6.2.1; 23.040, section 9.2.3.24.1.
    """
    ucs2_characters = tuple(c for c in dict.fromkeys(text) if c not in GSM7)
    alphabet = Alphabet.UCS2 if ucs2_characters else Alphabet.GSM7
    # One character for each unit. The same surrogates stand for all characters beyond the BMP.
    units = _ASTRAL.sub("\ud800\udc00", text) if ucs2_characters else _septets(text)
    single, shared = _CAPACITY[alphabet]
    if len(units) <= single:
        count, used, size = min(len(units), 1), len(units), single
    else:
        count, used = _pack(units, shared, _PAIR[alphabet])
        size = shared
    return Segments(alphabet, count, len(units), size - used, ucs2_characters)


def plain_forms(text: str) -> str:
    """Return the text with plain characters in place of typographic ones."""
    return text.translate(_PLAIN)


def _septets(text: str) -> str:
    """Return one character for each septet, the escapes included."""
    for character in GSM7_EXTENSION.intersection(text):
        text = text.replace(character, _ESCAPE + character)
    return text


def _pack(units: str, size: int, pair: re.Pattern[str]) -> tuple[int, int]:
    """Fill segments of `size` units. Return their number, and the units in the last."""
    count, start = 1, 0
    while len(units) - start > size:
        start += size - bool(pair.match(units, start + size - 1))
        count += 1
    return count, len(units) - start
