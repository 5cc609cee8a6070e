"""How many SMS a text is: the counting rules of 3GPP TS 23.038.

An estimate for people and limits: what is billed is counted by the gateway.
"""

import enum
import re
from dataclasses import dataclass

# The GSM 7-bit default alphabet, in the order of its table, without the escape.
GSM7_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each of these is sent as an escape and a second septet.
GSM7_EXTENSION = frozenset("\f^{}\\[~]|€")
GSM7 = GSM7_BASIC | GSM7_EXTENSION
_ESCAPE = "\x1b"

#: Typography that GSM-7 lacks, and what people type for it where there is no key for it.
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
    """The two ways a text is coded for the air."""

    GSM7 = "GSM-7"
    """Septets: 160 in a single part, 153 in each of several."""

    UCS2 = "UCS-2"
    """UTF-16 code units: 70 in a single part, 67 in each of several."""


# What a part holds: alone, and as one of several, where a header takes six octets.
_CAPACITY = {Alphabet.GSM7: (160, 153), Alphabet.UCS2: (70, 67)}
# Two units that no part may end between.
_PAIR = {
    Alphabet.GSM7: re.compile(f"{_ESCAPE}."),
    Alphabet.UCS2: re.compile("[\ud800-\udbff][\udc00-\udfff]"),
}
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Segments:
    """The size of a text as SMS."""

    alphabet: Alphabet
    count: int
    """Parts; 0 for an empty text."""
    units: int
    """Septets (GSM-7) or UTF-16 code units (UCS-2) of the whole text, headers and padding aside."""
    remaining: int
    """Units that still fit into the last part; for an empty text, into the first."""
    ucs2_characters: tuple[str, ...]
    """The distinct characters that GSM-7 lacks, in order of appearance: empty for GSM-7."""


def count_segments(text: str) -> Segments:
    """Count the parts `text` takes, exactly as it is given: line ends and spaces included.

    Linear in the length of the text. A lone surrogate counts as one unit and raises nothing.
    Source: 3GPP TS 23.038, sections 6.1 and 6.2.1; 23.040, section 9.2.3.24.1.
    """
    characters = dict.fromkeys(text)
    ucs2_characters = tuple(character for character in characters if character not in GSM7)
    alphabet = Alphabet.UCS2 if ucs2_characters else Alphabet.GSM7
    units = _utf16_units(text) if ucs2_characters else _septets(text)
    single, each = _CAPACITY[alphabet]
    if len(units) <= single:
        count, used, size = min(len(units), 1), len(units), single
    else:
        count, used = _pack(units, each, _PAIR[alphabet])
        size = each
    return Segments(alphabet, count, len(units), size - used, ucs2_characters)


def plain_forms(text: str) -> str:
    """The text with plain characters where it has typography."""
    return text.translate(_PLAIN)


def _septets(text: str) -> str:
    """Write the escapes out: one character a septet."""
    for character in GSM7_EXTENSION.intersection(text):
        text = text.replace(character, _ESCAPE + character)
    return text


def _utf16_units(text: str) -> str:
    """Write one character a code unit: one pair stands for all that lie beyond the BMP."""
    return _ASTRAL.sub("\ud800\udc00", text)


def _pack(units: str, size: int, pair: re.Pattern[str]) -> tuple[int, int]:
    """Fill parts of `size`: return their number, and the units in the last."""
    count, start = 1, 0
    while len(units) - start > size:
        start += size - bool(pair.match(units, start + size - 1))
        count += 1
    return count, len(units) - start
