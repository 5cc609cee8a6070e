"""Texts are forgotten: of sensitive messages at once, of others after a time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from django_mobilon_sms.choices import ErrorCode, Resolution, Status
from django_mobilon_sms.models import SmsMessage, db_now
from django_mobilon_sms.outbox import copy_message, send_many, send_sms
from django_mobilon_sms.worker import sweep
from tests.support.admin_door import EVERYTHING, LIST, page, person, text_of
from tests.support.messages import write
from tests.support.rest_door import ALL, codes, login, post

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

TEXT = "Ваш заказ готов"
HOUR = timedelta(hours=1)


def texts():
    return list(SmsMessage.objects.order_by("pk").values_list("text", flat=True))


def rows(message):
    return SmsMessage.objects.filter(pk=message.pk)


def test_sensitive_text_is_forgotten_when_the_gateway_has_accepted_it(sandbox, worker):
    write(sensitive=True)
    write()
    assert texts() == [TEXT, TEXT]
    assert worker("--no-refresh").code == 0
    assert texts() == ["", TEXT]
    assert [message.text for message in sandbox.messages] == [TEXT, TEXT]


def test_sensitive_text_is_kept_while_it_may_be_sent_again(sandbox, worker):
    write(sensitive=True)
    sandbox.fault("http", code=500)
    assert worker("--no-refresh").code == 4
    assert texts() == [TEXT]
    assert SmsMessage.objects.resend(by=None) == 1


@pytest.mark.parametrize(
    "end",
    [
        lambda one: rows(one).cancel(),
        lambda one: rows(one).end(Status.EXPIRED, ErrorCode.EXPIRED),
        lambda one: rows(one).end(Status.FAILED, ErrorCode.REJECTED),
        lambda one: [rows(one).hold(ErrorCode.LOST), rows(one).resolve(Resolution.SENT, by=None)],
    ],
)
def test_sensitive_text_is_forgotten_however_its_message_ends(end):
    end(send_sms("89135292926", TEXT, sensitive=True))
    end(send_sms("89135292926", TEXT))
    assert texts() == ["", TEXT]


def test_message_without_a_text_is_neither_copied_nor_resent():
    [message] = write(sensitive=True)
    rows(message).cancel()
    message.refresh_from_db()
    with pytest.raises(ValidationError) as raised:
        copy_message(message, created_by=None)
    assert raised.value.code == "forgotten"
    [lost] = write()
    rows(lost).hold(ErrorCode.REPORTED_FAILED, text="")
    assert SmsMessage.objects.resend(by=None) == 0


def test_same_guid_returns_the_message_whose_text_was_forgotten():
    message = send_sms("89135292926", TEXT, sensitive=True)
    rows(message).cancel()
    again = send_sms("89135292926", TEXT, sensitive=True, guid=message.guid)
    assert (again.pk, again.was_written) == (message.pk, False)
    row = {"number": "89135292926", "text": TEXT, "guid": message.guid}
    assert send_many([row]) == 0


def test_what_is_not_yes_or_no_is_refused():
    with pytest.raises(ValidationError) as raised:
        send_sms("89135292926", TEXT, sensitive=1)
    assert raised.value.error_dict["sensitive"][0].code == "invalid"


def test_texts_are_forgotten_after_the_set_time(sandbox, worker, settings):
    settings.MOBILON_SMS_FORGET_TEXT_AFTER = 3600
    write(2)
    worker("--no-refresh")
    write()
    rows(SmsMessage.objects.first()).change(forget_from=db_now() - HOUR)
    sandbox.fault("http", code=503)
    assert worker("--no-refresh").code == 4
    assert texts() == ["", TEXT, TEXT]
    assert worker("--no-refresh").code == 0
    assert texts() == ["", TEXT, TEXT]


def test_all_that_are_due_are_forgotten_in_one_run(worker, settings, monkeypatch):
    monkeypatch.setattr(sweep, "TEXTS_PER_UPDATE", 2)
    settings.MOBILON_SMS_FORGET_TEXT_AFTER = 1
    write(5)
    SmsMessage.objects.cancel()
    SmsMessage.objects.all().change(forget_from=db_now() - HOUR)
    worker("--no-refresh")
    assert texts() == [""] * 5


def test_texts_are_kept_without_the_setting(sandbox, worker):
    write()
    worker("--no-refresh")
    assert SmsMessage.objects.get().forget_from is None
    assert texts() == [TEXT]


def test_held_message_that_was_resent_keeps_its_text(settings):
    settings.MOBILON_SMS_FORGET_TEXT_AFTER = 1
    [message] = write()
    rows(message).change(resends=1)
    rows(message).cancel()
    assert list(rows(message).values_list("status", "text", "forget_from")) == [
        ("unknown", TEXT, None)
    ]


def test_rest_takes_the_word_and_shows_no_text_later():
    client = login(*ALL)
    answer = post(client, {"number": "89135292926", "text": TEXT, "sensitive": True})
    assert (answer.status_code, answer.json()["text"]) == (201, TEXT)
    SmsMessage.objects.cancel()
    guid = answer.json()["guid"]
    assert client.get(f"/sms/messages/{guid}/").json()["text"] == ""
    bad = post(client, {"number": "89135292926", "text": TEXT, "sensitive": "yes"})
    assert codes(bad) == {"sensitive": ["invalid"]}


def test_admin_says_that_a_text_was_forgotten():
    [message] = write(sensitive=True)
    SmsMessage.objects.cancel()
    client = person(*EVERYTHING)
    for address in (LIST, page(message)):
        assert "forgotten" in text_of(client.get(address))
