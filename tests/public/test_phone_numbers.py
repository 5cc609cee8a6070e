"""Numbers as people type them become E.164, or an error with its own reason."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from hypothesis import example, given, settings
from hypothesis import strategies as st

from django_mobilon_sms.phone_numbers import (
    SENTENCES,
    mask_number,
    normalize_number,
    readable_number,
    wire_number,
)

# No machine's speed decides a test.
unhurried = settings(deadline=None)

ANY = r"\+[0-9]+"

# The code points with Unicode's property Dash, as of Unicode 13, the oldest that Python 3.10 knows.
DASHES = (
    "-\u058a\u05be\u1400\u1806\u2010\u2011\u2012\u2013\u2014\u2015\u2053\u207b\u208b\u2212\u2e17"
    "\u2e1a\u2e3a\u2e3b\u2e40\u301c\u3030\u30a0\ufe31\ufe32\ufe58\ufe63\uff0d\U00010ead"
)
SPACES = " \t\n\r\v\f\x85\u00a0\u1680\u2002\u2003\u2007\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
INVISIBLE = "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u2060\u2066\u2069\ufeff"

# A table: one value a line would make it longer than all the tests.
# fmt: off
REFUSED: dict[str, list[Any]] = {
    "not_text": [None, True, False, 79135290000, 79135290000.0, b"89135290000", ["89135290000"]],
    "empty": ["", " ", "\u00a0\n", "\u200b", " - ", "()", " " * 1_000_000],
    "letters": [
        "8913529XXXX", "8913529ХХХХ", "8913XXX0000", "8913529X000", "891З5290000",
        "tel:+79135290000", "тел. 8 913 529-00-00", "8 913 529-00-00 (Иван)", "Иван",
        "8 800 FLOWERS",
    ],
    "spreadsheet": [
        "79135292926.0", "79135292926,00", "+79135292926.0", "\u200b 9135292926.0", "7.9135E+10",
        "7,9135E+10", "7.9135292926e10", "7,9135Е+10",
    ],
    "extension": [
        "8 (495) 123-45-67 доб. 5", "8 (495) 123-45-67, доб. 1234", "8 (495) 123-45-67 (внутр. 12)",
        "8 (495) 123-45-67 доп.12", "(495) 123-45-67 ext 5", "84951234567 Ext. 5",
        "84951234567;ext=5", "84951234567x5", "84951234567 х 5", "84951234567#5",
    ],
        "other_digits": [
        "８９１３５２９００００", "٨٩١٣٥٢٩٠٠٠٠", "८९१३५२९००००", "8913529000０", "8913529000²",
    ],
    "characters": [
        "8913*****00", "8_913_529_00_00", "8/913/529/00/00", "89135290000,", "8,913,529,00,00",
        "++79135290000", "8+9135290000", "='89135290000'", "8913529\x000000", "8913529\ud8000000",
        "☎ 89135290000",
    ],
    "several": [
        "89135290000, 89135290001", "89135290000;89135290001", "89135290000\r\n89135290001",
        "8 913 529-00-00 / 8 913 529-00-01", "+79135290000+79135290001",
        "+7 913 529-00-00 +7 913 529-00-01", "89135290000 89135290001",
        "89135290000 или 89135290001", "89135290000, 529-00-01", "89135290000; 529-00-01",
        "89135290000/529-00-01", "89135290000\r\n529-00-01", "9135290000" * 2,
        "89135290000\n" * 1000,
    ],
    "too_short": [
        "1", "+", "+7", "112", "529-00-00", "913529000", "8913529000", "7913529000", "+7913529000",
        "+7 8 913 529-00-0", "+12025550", "+33 6",
    ],
    "too_long": [
        "891352900001", "+791352900001", "91352900001", "99135290000", "8 8 913 529 00 00",
        "375291234567", "+1202555012345", "+49151123456789012", "1234567890123456789",
        "89135290000" + " " * 1000 + "1", "8" + "\u2013" * 10_000_000 + "9135290000",
    ],
    "kazakhstan": [
        "87011234567", "77011234567", "7011234567", "+7 701 123-45-67", "+77771234567",
        "+77172123456", "+76001234567",
    ],
    "landline": ["84951234567", "8 (495) 123-45-67", "4951234567", "+73812123456", "8123456789"],
    "toll_free": ["88005553535", "8 800 555-35-35", "8005553535", "+78005553535"],
    "country": ["+375291234567", "+375 (29) 123-45-67", "+442071838750", "+12025550123"],
    "invalid": ["80001234567", "+71234567890", "+89135290000", "+999123456789", "+375991234567"],
    "not_allowed": ["8 809 123-45-67", "+78031234567"],
}
# fmt: on


@pytest.mark.parametrize(
    "typed",
    [
        "+79135290000",
        "79135290000",
        "89135290000",
        "9135290000",
        "8 (913) 529-00-00",
        "8(913)5290000",
        "+7 913 529 00 00",
        "+ 7 (913) 529-00-00",
        "(+7) 913 529-00-00",
        "+7 (8913) 529-00-00",
        "8.913.529.00.00",
        "8 913 529 0000.",
        "8–913–529–00–00",
        "\n\t 8 913\u00a0529\u202f00\u200900 \r\n",
        "\u202a+7 913 529-00-00\u202c",
        "\ufeff8913\u200b529\u00ad0000",
        "8913529\n0000",
    ],
)
def test_a_russian_mobile_number_is_read_however_it_is_typed(typed: str) -> None:
    assert normalize_number(typed) == "+79135290000"


@pytest.mark.parametrize("separator", DASHES + SPACES + INVISIBLE, ids=ascii)
def test_every_dash_and_space_and_invisible_character_separates(separator: str) -> None:
    typed = separator.join(["", "8", "913", "529", "00", "00", ""])

    assert normalize_number(typed) == "+79135290000"


@pytest.mark.parametrize(
    ("code", "value"),
    [(code, value) for code, values in REFUSED.items() for value in values],
    ids=lambda value: ascii(value)[:40],
)
def test_a_trap_is_refused_with_its_code_and_sentence_and_nothing_of_the_value(
    code: str, value: Any
) -> None:
    with pytest.raises(ValidationError) as caught:
        normalize_number(value)

    assert (caught.value.code, caught.value.messages) == (code, [str(SENTENCES[code])])
    # The library's error may quote the number.
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_every_code_has_its_cases_and_a_sentence_of_its_own() -> None:
    assert REFUSED.keys() == SENTENCES.keys()
    assert len({str(sentence) for sentence in SENTENCES.values()}) == len(SENTENCES)


def test_every_sentence_waits_for_the_language_of_its_reader() -> None:
    assert [code for code, text in SENTENCES.items() if not isinstance(text, Promise)] == []


@pytest.mark.parametrize(
    ("allowed", "typed", "number"),
    [
        (r"\+7[79]\d{9}", "87011234567", "+77011234567"),
        (r"\+7\d{10}", "8 (495) 123-45-67", "+74951234567"),
        (r"\+7\d{10}", "8 800 555-35-35", "+78005553535"),
        (r"\+79\d{9}|\+375\d{9}", "+375 (29) 123-45-67", "+375291234567"),
        (r"\+79\d{9}|\+375\d{9}", "8 913 529-00-00", "+79135290000"),
        # The pattern is the authority, whatever the library's edition thinks of the number.
        (r"\+375\d{9}", "+375991234567", "+375991234567"),
        (r"\+39\d+", "+39 06 1234 5678", "+390612345678"),
        (r"\+44\d+", "+44 (0)20 7183 8750", "+442071838750"),
    ],
)
def test_a_wider_pattern_lets_more_through(allowed: str, typed: str, number: str) -> None:
    assert normalize_number(typed, allowed=allowed) == number


@pytest.mark.parametrize(
    ("allowed", "typed", "code"),
    [
        (r"\+7913\d{7}", "+79145290000", "not_allowed"),
        # The whole number must match, and \d means the ASCII digits.
        (r"\+7913", "+79135290000", "not_allowed"),
        (r"\+375\d{9}", "89135290000", "not_allowed"),
        (r"\+79\d{9}|\+375\d{9}", "+375 29 123-45-6", "invalid"),
        (ANY, "+999123456789", "invalid"),
        (ANY, "８９１３５２９００００", "other_digits"),
        (ANY, "8913529XXXX", "letters"),
        (ANY, "913529000", "too_short"),
        (ANY, "891352900001", "too_long"),
        (ANY, "+7 800 555-35-35-1", "too_long"),
    ],
)
def test_a_pattern_of_ones_own_refuses_the_rest(allowed: str, typed: str, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        normalize_number(typed, allowed=allowed)

    assert caught.value.code == code


def test_plain_russian_numbers_are_read_without_the_library() -> None:
    # A process of its own: this one has loaded the library long ago.
    program = (
        "import sys\n"
        "from django_mobilon_sms.phone_numbers import normalize_number\n"
        "typed = ['+79135290000', '89135290000', '8 (913) 529-00-00', '8.9135290000']\n"
        "print({normalize_number(number) for number in typed}, 'phonenumbers' in sys.modules)\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
        text=True,
    )

    assert ran.stdout == "{'+79135290000'} False\n"


@unhurried
@given(st.text() | st.text("0123456789+ -().,;xE", max_size=30))
# Without its trunk prefix the first is too short, and the second has another trunk prefix.
@example("+4908465")
@example("+9200322352338")
def test_any_text_is_a_number_for_the_wire_or_a_refusal(typed: str) -> None:
    try:
        number = normalize_number(typed, allowed=ANY)
    except ValidationError:
        return
    assert normalize_number(number, allowed=ANY) == number
    assert wire_number(number).isdecimal()


@unhurried
@given(
    st.from_regex(r"\A(\+7|7|8|)9[0-9]{9}\Z"),
    st.lists(st.sampled_from("-–() \u00a0\t\u200b"), min_size=13, max_size=13),
)
def test_separators_change_nothing(plain: str, separators: list[str]) -> None:
    typed = "".join(a + b for a, b in zip(separators, plain, strict=False))

    assert normalize_number(typed) == normalize_number(plain) == "+7" + plain[-10:]


@pytest.mark.parametrize(
    ("number", "wire"),
    [
        ("+79135290000", "89135290000"),
        ("+74951234567", "84951234567"),
        ("+77011234567", "77011234567"),
        ("+76001234567", "76001234567"),
        ("+791352900001", "791352900001"),
        ("+375291234567", "375291234567"),
        ("+1234567", "1234567"),
        ("+123456789012345", "123456789012345"),
    ],
)
def test_the_wire_has_eight_and_ten_digits_for_russia_and_plain_digits_else(
    number: str, wire: str
) -> None:
    assert wire_number(number) == wire


@pytest.mark.parametrize(
    "number",
    [
        "",
        "+",
        "79135290000",
        "89135290000",
        "+09135290000",
        "+123456",
        "+1234567890123456",
        "+79135290000\n",
        "+7 9135290000",
        "+７９１３５２９００００",
        "+7913529XXXX",
    ],
)
def test_what_is_not_e164_is_not_put_on_the_wire(number: str) -> None:
    with pytest.raises(ValueError, match=r"^The number is not in E\.164 form\.$"):
        wire_number(number)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+79135290026", "+7913*****26"),
        ("89135290026", "8913*****26"),
        ("+375291234567", "+3752******67"),
        ("+123456789012345", "+1234*********45"),
        ("12345678", "1*****78"),
        ("+1234567", "+*****67"),
        ("1234567", "*******"),
        ("26", "**"),
        ("", ""),
        ("8 (913) 529-00-26", "************"),
        ("８９１３５２９００２６", "***********"),
        ("a secret in the wrong place", "************"),
        ("1" * 1_000_000, "************"),
        (None, "*****"),
        (79135290026, "*****"),
    ],
)
def test_a_mask_shows_the_operator_and_two_digits(number: object, shown: str) -> None:
    assert mask_number(number) == shown


@unhurried
@given(st.text())
def test_a_mask_never_raises_and_hides_five_characters_or_all(number: str) -> None:
    assert "*****" in mask_number(number) or set(mask_number(number)) <= {"*"}


@pytest.mark.parametrize(
    ("number", "readable"),
    [
        ("+79135292926", "+7 913 529-29-26"),
        ("+74951234567", "+7 495 123-45-67"),
        ("+77011234567", "+7 701 123 4567"),
        ("+375291234567", "+375 29 123-45-67"),
        ("+442071234567", "+44 20 7123 4567"),
        ("+999999999999999", "+999999999999999"),
        ("+4402071234567", "+4402071234567"),
        ("79135292926", "79135292926"),
        ("", ""),
        ("<b>", "<b>"),
    ],
)
def test_readable_number_has_its_groups(number, readable):
    assert readable_number(number) == readable


@unhurried
@given(st.from_regex(ANY, fullmatch=True) | st.text())
def test_readable_number_is_the_same_number(number):
    readable = readable_number(number)
    assert readable == number or "".join(c for c in readable if c in "+0123456789") == number
