"""Duplicates: the same text to the same number within ``DUPLICATE_WITHIN``."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from django_mobilon_sms.exceptions import InvalidRows
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.outbox import send_many, send_sms
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

NUMBER, OTHER = "+79135292926", "+79029801212"


def test_same_text_to_the_same_number_is_a_duplicate_within_the_set_time(settings):
    write()
    write()
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 60
    with pytest.raises(ValidationError) as raised:
        write()
    assert raised.value.error_dict["text"][0].code == "duplicate"
    write(number=OTHER)
    write(text="Другой текст")
    SmsMessage.objects.all().change(created_at="2020-01-01T00:00Z")
    write()
    SmsMessage.objects.cancel()
    write()
    assert SmsMessage.objects.count() == 6


def test_duplicate_in_a_list_is_refused_and_a_repeated_guid_is_not(settings):
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 60
    row = {"number": NUMBER, "text": "привет"}
    with pytest.raises(InvalidRows) as raised:
        send_many([row, row])
    assert [(e.index, e.field, e.code) for e in raised.value.errors] == [(1, "text", "duplicate")]
    message = send_sms(**row)
    assert send_many([row | {"guid": message.guid}] * 2) == 0
