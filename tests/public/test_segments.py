"""Segment counts against a table worked out by hand, and against another implementation."""

import json
from pathlib import Path
from typing import Any

import pytest
import smsutil
from hypothesis import given, settings
from hypothesis import strategies as st

from django_mobilon_sms.segments import (
    GSM7,
    GSM7_BASIC,
    GSM7_EXTENSION,
    Alphabet,
    Segments,
    count_segments,
)

# The table is JSON because the counter in the browser is held to the same one.
CASES = json.loads(Path(__file__).with_name("data").joinpath("segments.json").read_text("utf-8"))

# No machine's speed decides a test.
unhurried = settings(deadline=None)

# Long runs, so that texts of several parts are common, and characters that move over borders.
runs = st.tuples(st.sampled_from("a\n€^яё😀𝔸\x1b`"), st.integers(1, 170))
texts = st.one_of(
    st.text(),
    st.text(st.sampled_from(sorted(GSM7)), max_size=500),
    st.lists(runs, max_size=6).map(lambda pieces: "".join(c * times for c, times in pieces)),
)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_text_of_the_table_is_counted_as_the_table_says(case: dict[str, Any]) -> None:
    text = "".join(piece * times for piece, times in case["pieces"])

    assert count_segments(text) == Segments(
        alphabet=Alphabet(case["alphabet"]),
        count=case["count"],
        units=case["units"],
        remaining=case["remaining"],
        ucs2_characters=tuple(case["ucs2_characters"]),
    )


def test_surrogates_that_stand_side_by_side_are_not_split() -> None:
    # Not in the table: JSON would join the two into one character.
    assert count_segments("я" * 66 + "\ud83d" + "\ude00" + "я" * 4) == Segments(
        Alphabet.UCS2, 2, 72, 61, ("я", "\ud83d", "\ude00")
    )


@pytest.mark.parametrize(
    ("character", "alphabet", "count", "units", "remaining"),
    [
        ("a", Alphabet.GSM7, 65_360, 10_000_000, 80),
        ("€", Alphabet.GSM7, 131_579, 20_000_000, 9),
        ("я", Alphabet.UCS2, 149_254, 10_000_000, 18),
        ("😀", Alphabet.UCS2, 303_031, 20_000_000, 47),
    ],
)
def test_ten_million_characters_are_counted(
    character: str, alphabet: Alphabet, count: int, units: int, remaining: int
) -> None:
    counted = count_segments(character * 10_000_000)

    assert (counted.alphabet, counted.count, counted.units, counted.remaining) == (
        alphabet,
        count,
        units,
        remaining,
    )


def test_the_sets_have_the_sizes_of_the_standard() -> None:
    # 128 places, one of which is the escape; ten characters behind it.
    assert (len(GSM7_BASIC), len(GSM7_EXTENSION), len(GSM7)) == (127, 10, 137)


def test_the_alphabet_is_that_of_another_implementation() -> None:
    ours = {
        character
        for character in map(chr, range(0x11000))
        if count_segments(character).alphabet is Alphabet.GSM7
    }

    # smsutil takes the escape for a character of the set; a text cannot hold one.
    assert ours == set(smsutil.codecs.GSM_CHARSET) - {"\x1b"}


# smsutil calls an empty text UCS-2, with one empty part, and the escape GSM-7 (see above).
@unhurried
@given(texts.filter(bool).map(lambda text: text.replace("\x1b", "я")))
def test_counts_agree_with_another_implementation(text: str) -> None:
    counted = count_segments(text)
    split = smsutil.split(text)
    gsm7 = split.encoding == "gsm0338"
    octets = 1 if gsm7 else 2
    single, each = (160, 153) if gsm7 else (70, 67)
    size = single if len(split.parts) == 1 else each

    assert (counted.alphabet, counted.count, counted.units, counted.remaining) == (
        Alphabet.GSM7 if gsm7 else Alphabet.UCS2,
        len(split.parts),
        split.total_bytes // octets,
        size - split.parts[-1].bytes // octets,
    )


@unhurried
@given(texts, texts)
def test_a_longer_text_never_takes_fewer_parts(text: str, more: str) -> None:
    assert count_segments(text + more).count >= count_segments(text).count


@unhurried
@given(texts)
def test_a_text_takes_a_part_and_only_ucs2_names_characters(text: str) -> None:
    counted = count_segments(text)

    assert (counted.count >= 1) == bool(text)
    assert bool(counted.ucs2_characters) == (counted.alphabet is Alphabet.UCS2)
    assert list(counted.ucs2_characters) == [c for c in dict.fromkeys(text) if c not in GSM7]


@unhurried
@given(texts.filter(bool))
def test_what_remains_is_what_still_fits(text: str) -> None:
    counted = count_segments(text)

    filled = count_segments(text + "a" * counted.remaining)
    assert (filled.count, filled.remaining) == (counted.count, 0)
    assert count_segments(text + "a" * (counted.remaining + 1)).count == counted.count + 1
