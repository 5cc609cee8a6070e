"""Claims: what happens to a message whose number was stopped after it was written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.models import SmsMessage, StoppedNumber, db_now
from django_mobilon_sms.worker import candidates, claims, sweep_leftovers
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

NUMBER, OTHER = "+79135292926", "+79029801212"


def claim_after_a_stop(*numbers):
    """Claim all that is due, after numbers were stopped by a transaction no writer has seen."""
    StoppedNumber.objects.bulk_create(StoppedNumber(number=number) for number in numbers)
    return claims.take(candidates.due(100, 100), stops=True)


def test_text_of_a_message_stopped_before_its_claim_is_forgotten(settings):
    settings.MOBILON_SMS_FORGET_TEXT_AFTER = 3600
    _, resent = write(2)
    SmsMessage.objects.filter(pk=resent.pk).change(resends=1)
    assert claim_after_a_stop(NUMBER) == []
    waiting = SmsMessage.objects.filter(forget_from__isnull=False)
    assert waiting.change(forget_from=db_now() - timedelta(hours=2)) == 1
    sweep_leftovers()
    assert list(SmsMessage.objects.order_by("pk").values_list("status", "text", "batch")) == [
        ("cancelled", "", None),
        ("unknown", "Ваш заказ готов", None),  # it may be sent again
    ]


def test_claim_of_numbers_that_are_not_stopped_asks_for_the_list_once():
    write(3)
    with CaptureQueriesContext(connection) as captured:
        [claim] = claim_after_a_stop(OTHER)
    assert len(claim.messages) == 3
    asked = [query["sql"] for query in captured if "stoppednumber" in query["sql"]]
    assert [sql.split()[0] for sql in asked] == ["INSERT", "SELECT"]
