"""A mailing writes its messages as ``send_sms()`` would write each of them."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from django.contrib.auth.models import User

from django_mobilon_sms.mailings import sending
from django_mobilon_sms.models import SmsMailing, SmsMessage
from django_mobilon_sms.outbox import send_sms
from tests.outbox.rows import HOUR, LATER, ODD_TEXTS, columns

pytestmark = [pytest.mark.django_db, pytest.mark.databases]


def a_list(texts: list[str]) -> bytes:
    file = StringIO()
    rows = csv.writer(file, delimiter=";")
    rows.writerow(["Телефон", "Текст"])
    rows.writerows([f"8913{n:07}", text] for n, text in enumerate(texts))
    return file.getvalue().encode()


@pytest.mark.parametrize("fields", [{}, {"send_at": LATER, "expires_at": LATER + HOUR}])
def test_messages_of_a_mailing_are_as_written_one_by_one(fields):
    olga = User.objects.create(username="olga")
    mailing = SmsMailing.objects.create(
        name="Акция", text="{{ТЕКСТ}}", file=a_list(ODD_TEXTS), created_by=olga, **fields
    )
    assert sending.confirm(mailing, by=olga, leave_out_recent=False) == len(ODD_TEXTS)
    for message in SmsMessage.objects.order_by("pk"):
        alone = send_sms(
            *(message.number, message.text), tag=mailing.tag, created_by=olga, **fields
        )
        assert columns(message) == columns(alone) | {"mailing_id": mailing.pk}
