"""Phone numbers: from the forms that people type to E.164, and from E.164 to the gateway's form.

The pattern of allowed numbers alone decides which numbers are accepted. The library
`phonenumbers` reads the numbers of other countries, and explains why a number is refused.
"""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

#: Every number that can be stored, for the stop list: it also takes numbers not allowed now.
ANY_NUMBER = r"\+\d{7,15}"
ALLOWED = r"\+79\d{9}"

#: By the code of the ValidationError: what is wrong, and what to do.
SENTENCES = {
    "not_text": _(
        "A phone number must be given as text. Write it in quotes, so that no digit is lost."
    ),
    "empty": _("There is no number here. Enter a phone number."),
    "spreadsheet": _(
        "A spreadsheet has turned the number into a decimal."
        " Format the column as text, then copy the number again."
    ),
    "extension": _("An extension cannot get messages. Enter a mobile number without one."),
    "several": _("There is more than one number here. Enter one number."),
    "letters": _("A phone number cannot contain letters. Enter all of its digits."),
    "other_digits": _(
        "Some digits are from another script. Enter the number with the digits 0 to 9."
    ),
    "characters": _(
        "A phone number can contain digits, spaces, dashes, dots, brackets and a + before the first"
        " digit. Remove everything else."
    ),
    "too_short": _("The phone number is too short. A Russian number has ten digits after +7 or 8."),
    "too_long": _(
        "The phone number is too long. A Russian number has ten digits after +7 or 8."
        " A number of another country begins with + and the country code."
    ),
    "kazakhstan": _(
        "This number is in Kazakhstan. Messages are not sent there. Enter a Russian mobile number."
    ),
    "landline": _("This is a landline. Messages are not sent to landlines. Enter a mobile number."),
    "toll_free": _(
        "This is a toll-free number. Messages are not sent to such numbers. Enter a mobile number."
    ),
    "country": _(
        "This number is in another country. Messages are not sent there."
        " Check the digits after the +."
    ),
    "invalid": _("This phone number does not exist. Compare it with its source, digit by digit."),
    "not_allowed": _(
        "Messages are not sent to numbers of this kind."
        " Enter another number, or ask the administrator to allow them."
    ),
}

# Characters of the value that are looked at. No number takes more to type.
_MAX_TYPED = 200
# The usual separators. Without them, most Russian numbers match at once.
_USUAL = str.maketrans("", "", " ()-\N{NO-BREAK SPACE}")
# Dashes by their Unicode property that are not of the category Pd.
_OTHER_DASHES = "\N{SWUNG DASH}\N{SUPERSCRIPT MINUS}\N{SUBSCRIPT MINUS}\N{MINUS SIGN}"

# Ten digits that begin with 89 or 79 lack a digit, because no area code is 89x or 79x.
_RUSSIAN = re.compile(r"(?:\+78(?=9)|\+7(?!89)|[78]|(?![78]9))([0-9]{10})")
_RUSSIAN_E164 = re.compile(r"\+7[^67][0-9]{9}")
_KAZAKH_E164 = re.compile(r"\+7[67][0-9]{9}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_MASKABLE = re.compile(r"\+?[0-9]{7,15}")

# Values that would become a wrong number, or a confusing error, without their separators.
# \u0435 and \u0445 are the Cyrillic letters that look like e and x.
_TRAPS = {
    "spreadsheet": re.compile(
        r"\A\+?(?:[0-9]+(?:[.,][0-9]+)?[e\u0435][+-]?[0-9]+|[0-9]{10,}[.,][0-9]{1,6})\Z",
        re.IGNORECASE,
    ),
    "extension": re.compile(
        r"(?:[0-9][^0-9]*){10}(?:доб|доп|вн|[x\u0445#])[^0-9]{0,12}[0-9]{1,7}[^0-9]*\Z",
        re.IGNORECASE,
    ),
    "several": re.compile(
        r"(?:[0-9][^0-9,;/\n]*){7}[,;/\n][^0-9]*(?:[0-9][^0-9,;/\n]*){7}|(?:[0-9][^0-9]*){20}"
    ),
}


def normalize_number(value: object, *, allowed: str = ALLOWED) -> str:
    """Return the E.164 form, such as `+79135290000`, of a number as people type it.

    A number without a + is read as Russian: ten digits, or eleven that begin with 8 or 7.
    `allowed` is a regular expression for the whole E.164 form. It alone decides which numbers
    are accepted.

    Raises ValidationError. Its code is a key of `SENTENCES`, and its text never contains the value.
    """
    if not isinstance(value, str):
        raise _refusal("not_text")
    number = _russian(value.translate(_USUAL)) or _international(_digits(value))
    if not re.fullmatch(allowed, number, re.ASCII):
        raise _refusal(_reason(number))
    return number


def wire_number(number: str) -> str:
    """Return the form of an E.164 number that the gateway expects.

    It is `8XXXXXXXXXX` for a Russian number (source: the vendor's page), and the digits without
    the + for any other. Raises ValueError, without the number in it, if it is not E.164.
    """
    if _RUSSIAN_E164.fullmatch(number):
        return f"8{number[2:]}"
    if not _E164.fullmatch(number):
        raise ValueError("The number is not in E.164 form.")
    return number[1:]


def readable_number(number: str) -> str:
    """Return an E.164 number in groups, as people write it: `+7 913 529-29-26`. Never raise."""
    if _RUSSIAN_E164.fullmatch(number):
        return f"+7 {number[2:5]} {number[5:8]}-{number[8:10]}-{number[10:]}"
    import phonenumbers  # noqa: PLC0415 (the reason is in _parsed)

    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return number
    shown = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return shown if re.sub("[^0-9+]", "", shown) == number else number


def mask_number(number: object) -> str:
    """Return a number as logs and titles may show it: `+7913*****26`. Never raise.

    A value that is shorter than eight characters or not a plain number becomes stars.
    """
    if not isinstance(number, str):
        return "*****"
    if len(number) < 8 or not _MASKABLE.fullmatch(number):
        return "*" * min(len(number), 12)
    shown = min(5, len(number) - 7)
    return f"{number[:shown]}{'*' * (len(number) - shown - 2)}{number[-2:]}"


def _refusal(code: str) -> ValidationError:
    return ValidationError(SENTENCES[code], code=code)


def _russian(digits: str) -> str | None:
    match = _RUSSIAN.fullmatch(digits)
    return f"+7{match[1]}" if match else None


def _digits(value: str) -> str:
    """Return the digits, with or without a + before them, and raise for anything unexpected."""
    typed = value.strip()
    text = "".join(c for c in typed[:_MAX_TYPED] if unicodedata.category(c) != "Cf").strip()
    for code, trap in _TRAPS.items():
        if trap.search(text):
            raise _refusal(code)
    if len(typed) > _MAX_TYPED:
        raise _refusal("too_long")
    digits = "".join(c for c in text if not _is_separator(c))
    if not digits:
        raise _refusal("empty")
    if not re.fullmatch(r"\+?[0-9]*", digits):
        raise _refusal(_unexpected(digits))
    return digits


def _is_separator(character: str) -> bool:
    return (
        character.isspace()
        or character in "()."
        or character in _OTHER_DASHES
        or unicodedata.category(character) == "Pd"
    )


def _unexpected(text: str) -> str:
    """Return the code for a text that holds more than digits."""
    if any(c.isdigit() and not c.isascii() for c in text):
        return "other_digits"
    return "letters" if any(c.isalpha() for c in text) else "characters"


def _international(digits: str) -> str:
    if number := _russian(digits):
        return number
    if digits.startswith("+") and not digits.startswith("+7"):
        return _abroad(digits)
    raise _refusal("too_short" if len(digits.removeprefix("+7")) <= 10 else "too_long")


def _abroad(digits: str) -> str:
    """Read a number with the code of another country."""
    number = _parsed(digits)
    # The library drops a trunk prefix, as in +44 (0) 20... The result must be read as itself,
    # because a stored number must not become another one when it is read again.
    if number != digits and _parsed(number) != number:
        raise _refusal("invalid")
    return number


def _parsed(digits: str) -> str:
    # Imported here because it takes about 25 ms, and Russian mobile numbers never need it.
    import phonenumbers  # noqa: PLC0415

    if len(digits) < len("+") + 7:
        raise _refusal("too_short")
    # The library accepts longer numbers, but E.164 does not.
    if len(digits) > len("+") + 15:
        raise _refusal("too_long")
    try:
        number = phonenumbers.parse(digits, None)
    except phonenumbers.NumberParseException:
        raise _refusal("invalid") from None
    length = phonenumbers.ValidationResult
    result = phonenumbers.is_possible_number_with_reason(number)
    if result in (length.TOO_SHORT, length.IS_POSSIBLE_LOCAL_ONLY):
        raise _refusal("too_short")
    if result != length.IS_POSSIBLE:
        raise _refusal("too_long")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _reason(number: str) -> str:
    """Return the code for an E.164 number that is not allowed."""
    if _KAZAKH_E164.fullmatch(number):
        return "kazakhstan"
    import phonenumbers  # noqa: PLC0415 (the reason is in _parsed)

    parsed = phonenumbers.parse(number, None)
    if not phonenumbers.is_valid_number(parsed):
        return "invalid"
    if parsed.country_code != 7:
        return "country"
    kinds = {
        phonenumbers.PhoneNumberType.FIXED_LINE: "landline",
        phonenumbers.PhoneNumberType.TOLL_FREE: "toll_free",
    }
    return kinds.get(phonenumbers.number_type(parsed), "not_allowed")
