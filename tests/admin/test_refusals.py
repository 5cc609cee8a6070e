"""Every reason for which the outbox refuses a message, as the form shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from django_mobilon_sms import outbox
from django_mobilon_sms.models import SmsMessage
from tests.support.admin_door import ADD, person, text_of
from tests.support.messages import write

pytestmark = pytest.mark.django_db

CHECK = f"{ADD}recipients/"
TEXT = "Ваш заказ готов"
NUMBER, OTHER = "+79135292926", "+79135292927"


class Case(NamedTuple):
    """How a refusal comes about, and where the form shows what."""

    field: str
    shown: str
    fields: dict[str, str] = {}
    before: Callable[[Any], Any] = lambda settings: None


def stopped(settings):
    outbox.stop([NUMBER])


def recently_sent(settings):
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 600
    write(number=NUMBER, text=TEXT)


def full(settings):
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = 1
    write(number=NUMBER, text="Другой текст")


#: By the module of the outbox and its code. A new code needs a line here, or in ``ELSEWHERE``.
CASES = {
    "stop_list.stopped": Case("numbers", "This number is on the stop list.", before=stopped),
    "duplicates.duplicate": Case(
        "numbers", "This number was sent the same text a short while ago.", before=recently_sent
    ),
    "validation.expires_before_send": Case(
        "expires_at", "It must expire after it is to be sent.",
        {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
    ),
    "validation.too_long": Case("text", "The text has 11 parts", {"text": "я" * 671}),
    "validation.empty": Case("text", "Write a text.", {"text": " \n"}),
    "validation.control": Case("text", "Remove the control characters.", {"text": "a\x07b"}),
    "validation.invisible": Case(
        "text", "The text has only invisible characters.", {"text": "\u200b"}
    ),
    "validation.past": Case(
        "send_at", "This time has passed.", {"send_at_0": "2020-01-05", "send_at_1": "10:00"}
    ),
    "recipient_limit.number_limit": Case(
        "numbers", "Only 1 messages an hour are written to one number.", before=full
    ),
    "validation.nul": Case("text", "Remove the NUL character.", {"text": "a\0b"}),
    "validation.required": Case(
        "source", "Name a sender", {"source": ""},
        lambda settings: setattr(settings, "MOBILON_SMS_SOURCE", ""),
    ),
    "validation.invalid": Case("tag", "Write a tag of at most 64", {"tag": "я" * 65}),
    "validation.range": Case(
        "send_at", "Give a time between", {"send_at_0": "0001-01-01", "send_at_1": "00:00"}
    ),
}  # fmt: skip
#: Codes that no person at the form can cause, each with the reason.
ELSEWHERE = {
    "validation.unknown_field": "the form names its fields itself",
    "validation.not_text": "the form gives strings",
    "validation.surrogate": "no form in UTF-8 has half a character",
    "validation.naive": "the form gives times with a zone",
    "guid_conflicts.conflict": "a submission of somebody else: see test_compose",
    "recipient_limit.too_many": "the form merges repeated numbers",
    "stop_list.line": "a line of the stop list's own form",
    "stop_list.invalid": "the note of the stop list's own form",
    "copying.status": "a copy, not a new message",
    "copying.forgotten": "a copy, not a new message",
}


def known_codes():
    """Every code that a module of the outbox gives an error."""
    for module in sorted(Path(outbox.__file__).parent.glob("*.py")):
        for code in re.findall(r'code="([a-z_]+)"', module.read_text(encoding="utf-8")):
            yield f"{module.stem}.{code}"


def form(client, address=ADD, **fields):
    given = {"numbers": f"{OTHER}\n8 (913) 529-29-26", "text": TEXT, "priority": "5"}
    return client.post(address, given | {"submission_id": str(uuid4()), "_save": "yes"} | fields)


CODES = sorted({*known_codes()} - {*ELSEWHERE})


@pytest.mark.parametrize("code", CODES)
def test_form_shows_every_refusal_where_it_belongs(client, settings, code):
    case = CASES[code]
    case.before(settings)
    count = SmsMessage.objects.count()
    response = form(client, **case.fields)
    assert response.status_code == 200
    shown = response.context["adminform"].form
    assert list(shown.errors) == [case.field]
    assert case.shown in text_of(response)
    assert shown["text"].value() == case.fields.get("text", TEXT)
    assert SmsMessage.objects.count() == count


# A time is judged when it is submitted: a form that is submitted again finds its message.
@pytest.mark.parametrize("code", [code for code in CODES if code != "validation.past"])
def test_refusal_is_shown_while_a_message_is_typed(client, settings, code):
    case = CASES[code]
    case.before(settings)
    count = SmsMessage.objects.count()
    response = form(client, CHECK, **case.fields)
    assert case.shown in text_of(response)
    assert SmsMessage.objects.count() == count


def test_each_fault_of_many_recipients_names_its_row_number_and_reason(client):
    outbox.stop([NUMBER])
    response = form(client, numbers=f"{OTHER}\n8 495 123-45-67\n8 913 529-29-26", _check="yes")
    landline = "No. 2 8 495 123-45-67 This is a landline."
    refused = f"No. 3 {NUMBER} This number is on the stop list."
    assert (landline in text_of(response), refused in text_of(response)) == (True, True)


def test_refused_recipients_are_removed_one_by_one_or_all_at_once(client):
    outbox.stop([NUMBER, OTHER])
    typed = "8 (913) 529-29-26, +79135292927\n+79135292928"
    one = form(client, CHECK, numbers=typed, _remove=NUMBER).content.decode()
    assert 'data-left="+79135292927\n+79135292928"' in one
    both = form(client, CHECK, numbers=typed, _remove=f"{NUMBER}\r\n{OTHER}").content.decode()
    assert 'data-left="+79135292928"' in both


def test_number_that_is_stopped_while_the_form_is_sent_is_refused_by_the_write(client, monkeypatch):
    """The check before the write is not what keeps a stopped number from being written to."""
    from django_mobilon_sms.admin.compose import forms

    monkeypatch.setattr(forms, "refusals", lambda new, confined_to: {})  # it was not stopped yet
    outbox.stop([NUMBER])
    response = form(client)
    refused = f"No. 2 {NUMBER} This number is on the stop list."
    assert (response.status_code, refused in text_of(response)) == (200, True)


def test_fault_of_a_field_that_the_form_lacks_is_shown_at_its_recipient(client, monkeypatch):
    from django_mobilon_sms.admin.compose import forms
    from django_mobilon_sms.exceptions import InvalidRows, RowError

    def refuse(rows, **options):
        raise InvalidRows([RowError(0, "no_such_field", "new", "A reason of the future.")], 1)

    monkeypatch.setattr(forms, "write_many", refuse)  # no field of today is unknown to the form
    response = form(client)
    assert f"No. 1 {OTHER} A reason of the future." in text_of(response)


@pytest.mark.parametrize("permission", ["view_smsmessage", "view_smsmessage_text"])
def test_who_may_not_see_messages_and_texts_is_shown_own_duplicates_alone(settings, permission):
    recently_sent(settings)
    writer = person("add_smsmessage", permission, name="writer")
    assert "the same text" not in text_of(form(writer, CHECK))
    form(writer, numbers=NUMBER)
    assert f"{NUMBER} This number was sent the same text" in text_of(form(writer, CHECK))
    outbox.stop([NUMBER])
    assert "This number is on the stop list." in text_of(form(writer, CHECK))
