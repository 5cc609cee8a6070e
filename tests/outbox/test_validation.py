"""What makes a row invalid, and how its errors are named."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError

from django_mobilon_sms.exceptions import GuidConflict, InvalidRows
from django_mobilon_sms.models import GatewayState, SmsMessage
from django_mobilon_sms.outbox import send_sms, write_many
from tests.outbox.rows import GOOD, GUID, HOUR, LATER, MARK, refused, refused_rows

pytestmark = pytest.mark.django_db

#: All but NUL, which has a code of its own, tab, and what becomes a line feed.
CONTROL = sorted({*range(1, 32), *range(0x7F, 0xA0)} - {9, 10, 13})
INVISIBLE = (
    "\u200b",  # zero width space
    "\ufeff\n",  # byte order mark
    " \u00ad\t\u2060",  # soft hyphen, word joiner
    "\u2028\u2029\u3000\u200e",
    "\u3164\u115f\uffa0\u2800",  # fillers of Hangul and Braille
    "\u200d\ufe0f\U000e0100\U000e0020",
)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("number", "8913529XXXX", "letters"),
        ("number", "79135292926.0", "spreadsheet"),
        ("number", "", "empty"),
        ("number", None, "not_text"),
        ("number", 79135292926, "not_text"),
        ("number", "8 495 123-45-67", "landline"),
        ("text", "", "empty"),
        ("text", " \r\n\t\xa0", "empty"),
        ("text", None, "not_text"),
        ("text", b"bytes", "not_text"),
        ("text", ["list"], "not_text"),
        ("text", "a\0b", "nul"),
        ("text", "a\ud83d", "surrogate"),
        ("text", "\udc00b", "surrogate"),
        *(("text", f"a{chr(code)}b", "control") for code in CONTROL),
        *(("text", text, "invisible") for text in INVISIBLE),
        ("text", "ы" * 671, "too_long"),
        ("text", "a" * 1531, "too_long"),
        ("source", "", "required"),
        ("source", "8923 456", "invalid"),
        ("source", "отправитель", "invalid"),
        ("source", "s" * 33, "invalid"),
        ("source", "s\n", "invalid"),
        ("source", 89234560000, "invalid"),
        ("send_at", datetime(2900, 1, 1), "naive"),
        ("send_at", "2900-01-01T00:00:00Z", "invalid"),
        ("send_at", LATER.date(), "invalid"),
        ("send_at", LATER.timestamp(), "invalid"),
        ("send_at", datetime.min.replace(tzinfo=timezone(HOUR)), "range"),
        ("send_at", datetime.max.replace(tzinfo=timezone(-HOUR)), "range"),
        ("expires_at", datetime(2900, 1, 1), "naive"),
        ("expires_at", 60, "invalid"),
        ("expires_at", datetime(2020, 1, 1, tzinfo=timezone.utc), "expires_before_send"),
        ("priority", 1, "invalid"),
        ("priority", "5", "invalid"),
        ("priority", "high", "invalid"),
        ("priority", False, "invalid"),
        ("priority", [], "invalid"),
        ("tag", 5, "not_text"),
        ("tag", "t" * 65, "invalid"),
        ("tag", "a\nb", "invalid"),
        ("tag", "a\0b", "nul"),
        ("tag", "\ud800", "surrogate"),
        ("guid", "5f0c1c1e", "invalid"),
        ("guid", 5, "invalid"),
        ("guid", b"5f0c1c1e-6c1f-4a0e-9d8a-0f4b7a5f1c11", "invalid"),
        ("created_by", "olga", "invalid"),
        ("created_by", 1, "invalid"),
        ("created_by", AnonymousUser(), "invalid"),
        ("created_by", User(username="not saved"), "invalid"),
    ],
)
def test_invalid_value_is_named_by_its_field_and_code(field, value, code):
    assert refused(**{field: value}) == {field: [code]}
    assert refused_rows([GOOD | {field: value}]).errors[0].code == code
    assert SmsMessage.objects.count() == 0


def test_invisible_characters_between_others_are_kept():
    """They make an emoji, a Persian word or a hyphenation."""
    text = "\ufeff👨\u200d👩\u200d👧 ❤\ufe0f\r\n\tпере\u00adнос\u00a0\u200f."
    assert send_sms(GOOD["number"], text).text == text.replace("\r\n", "\n")


def test_message_of_an_older_rule_is_found_by_its_guid():
    kept = send_sms(**GOOD, guid=GUID)
    SmsMessage.objects.filter(pk=kept.pk).change(text="\u200b\x07")
    assert send_sms(GOOD["number"], "\u200b\x07", guid=GUID).pk == kept.pk


@pytest.mark.parametrize("expires_at", [LATER, LATER - HOUR])
def test_expiry_not_after_the_send_time_is_refused(expires_at):
    assert refused(send_at=LATER, expires_at=expires_at) == {"expires_at": ["expires_before_send"]}
    with_offset = expires_at.astimezone(timezone(7 * HOUR))
    assert refused(send_at=LATER, expires_at=with_offset) == {"expires_at": ["expires_before_send"]}


def test_expiry_is_not_compared_with_an_invalid_send_time():
    assert refused(send_at="soon", expires_at=LATER) == {"send_at": ["invalid"]}


def test_expiry_alone_is_compared_with_now():
    now = GatewayState.objects.current().now
    assert refused(expires_at=now) == {"expires_at": ["expires_before_send"]}
    assert send_sms(**GOOD, expires_at=now + HOUR).expires_at == now + HOUR


def test_time_in_the_past_means_now_for_expiry_lifetime_and_turn(settings):
    settings.MOBILON_SMS_LIFETIME = 60
    now = GatewayState.objects.current().now
    assert refused(send_at=now - 2 * HOUR, expires_at=now - HOUR) == {
        "expires_at": ["expires_before_send"]
    }
    message = send_sms(**GOOD, send_at=now - 2 * HOUR)
    assert message.due_at >= now
    assert message.expires_at >= now + timedelta(seconds=60)
    assert SmsMessage.objects.due().contains(message)


def test_time_in_the_past_means_now_or_is_refused_where_the_door_says_so():
    now = GatewayState.objects.current().now
    minutes = timedelta(minutes=1)
    for past, ago, code in (("refuse", 6, "past"), ("refuse", 4, ""), ("now", 9999, "")):
        rows = [GOOD, GOOD | {"send_at": now - ago * minutes}]
        if not code:
            assert write_many(rows, past=past)[1].send_at == now - ago * minutes
            continue
        with pytest.raises(InvalidRows) as raised:
            write_many(rows, past=past)
        assert [(e.index, e.field, e.code) for e in raised.value.errors] == [(1, "send_at", code)]
    assert send_sms(**GOOD, send_at=now - 9999 * minutes) in SmsMessage.objects.due()
    assert SmsMessage.objects.count() == 5


def test_time_in_the_past_is_compared_by_the_clock_of_the_database(monkeypatch):
    def host_clock():
        raise AssertionError

    # Nothing real can set this machine's clock wrong.
    monkeypatch.setattr("django.utils.timezone.now", host_clock)
    with pytest.raises(InvalidRows):
        write_many([GOOD | {"send_at": GatewayState.objects.current().now - HOUR}], past="refuse")


def test_retry_whose_time_has_passed_finds_its_row():
    row = GOOD | {"guid": GUID, "send_at": GatewayState.objects.current().now}
    [written] = write_many([row], past="refuse")
    passed = written.send_at - HOUR
    SmsMessage.objects.filter(pk=written.pk).change(send_at=passed)
    [found] = write_many([row | {"send_at": passed}], past="refuse")
    assert (found.pk, found.was_written) == (written.pk, False)


def test_every_fault_is_named_at_once():
    assert refused(number="", text="", priority=7, tag=1, guid="x") == {
        "number": ["empty"],
        "text": ["empty"],
        "priority": ["invalid"],
        "tag": ["not_text"],
        "guid": ["invalid"],
    }


def test_message_without_a_sender_anywhere_is_refused(settings):
    settings.MOBILON_SMS_SOURCE = ""
    assert refused() == {"source": ["required"]}
    assert send_sms(**GOOD, source="89230000001").source == "89230000001"


def test_row_without_its_number_and_text_is_refused():
    errors = refused_rows([{}]).errors
    assert [(e.index, e.field, e.code) for e in errors] == [
        (0, "number", "not_text"),
        (0, "text", "not_text"),
    ]


def test_unknown_fields_are_refused():
    errors = refused_rows([GOOD | {"status": "sent", "recipient": MARK}]).errors
    assert sorted((e.field, e.code) for e in errors) == [
        ("recipient", "unknown_field"),
        ("status", "unknown_field"),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"number": f"+7913529{MARK}"},
        {"text": f"{MARK}\0"},
        {"text": f"{MARK}\ud800"},
        {"text": MARK * 500},
        {"source": f"{MARK} "},
        {"send_at": MARK},
        {"expires_at": MARK},
        {"priority": MARK},
        {"tag": MARK * 20},
        {"guid": MARK},
        {"created_by": MARK},
        {"recipient": MARK},
    ],
)
def test_no_value_is_repeated_in_an_error(fields):
    error = refused_rows([GOOD | fields])
    assert MARK not in f"{error} {error!r} {error.errors!r}"
    assert "529" not in f"{error} {error!r}"
    if "recipient" not in fields:
        with pytest.raises(ValidationError) as raised:
            send_sms(**GOOD | fields)
        assert MARK not in f"{raised.value} {raised.value!r} {raised.value.messages}"


def test_conflict_repeats_no_value():
    send_sms(**GOOD, guid=GUID)
    with pytest.raises(GuidConflict) as raised:
        send_sms("+79020000001", MARK, guid=GUID, tag=MARK)
    assert str(raised.value) == (
        f"A message with guid {GUID} exists with another number, text, tag. "
        "Send another message under another guid."
    )
