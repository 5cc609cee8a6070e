"""The page to read a message, through the admin's door."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from django_mobilon_sms.choices import ErrorCode, Resolution, Status
from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from django_mobilon_sms.outbox import send_sms
from tests.support.admin_door import LIST, change, page, text_of
from tests.support.messages import write

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
XSS = "<script>alert(1)</script>\"'&"


def test_page_counts_failed_attempts_and_resends_if_there_are_any(client):
    """A message that went out at once has had no failed attempt, but "0" reads as not sent."""
    [message] = write()
    shown = text_of(client.get(page(message)))
    assert ("Failed attempts" in shown, "Resends" in shown) == (False, False)
    change(message, attempts=2, resends=1)
    assert "Failed attempts: 2 Resends: 1" in text_of(client.get(page(message)))


def test_page_shows_the_whole_message(client):
    text = "Ваш заказ готов.\n  Ждём вас <b>до пяти</b>"
    fields = {"text": text, "tag": "order 7", "priority": 9, "number": "8 913 529-29-26"}
    batch = SmsBatch.objects.create(worker="elsewhere:1", lease_until=db_now() + HOUR)
    message = change(
        send_sms(**fields),
        status=Status.UNKNOWN, error_code=ErrorCode.TIMEOUT, batch=batch, gateway_status=5,
    )  # fmt: skip
    response = client.get(page(message))
    shown, html = text_of(response), response.content.decode()
    for word in ("+7 913 529-29-26", "order 7", "low", str(message.guid), "89234560000"):
        assert word in shown
    assert "The gateway did not answer in time." in shown
    assert "Ваш заказ готов.\n  Ждём вас &lt;b&gt;до пяти&lt;/b&gt;</span>" in html
    assert f'<a href="/admin/mobilon_sms/smsbatch/{batch.pk}/change/">{batch.pk}</a>' in html
    assert '<input type="text"' not in html.split("<main")[-1]
    assert 'name="_save"' not in html


def test_page_shows_who_decided(client):
    [message] = write()
    user = client.get(LIST).wsgi_request.user
    change(message, status=Status.UNKNOWN, error_code=ErrorCode.LOST)
    assert "decided by" not in text_of(client.get(page(message))).lower()
    SmsMessage.objects.all().resolve(Resolution.GIVEN_UP, by=user)
    shown = text_of(client.get(page(message)))
    assert "Decision: given up Decided by: anna Decided at:" in shown


def test_nobody_changes_a_message(db):
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    [message] = write()
    before = SmsMessage.objects.values().get()
    data = {"number": "+79990000000", "text": "x", "_save": "yes"}
    assert boss.post(page(message), data).status_code == 403
    assert boss.get(page(message)).context["actions"] != []
    assert SmsMessage.objects.values().get() == before


@pytest.mark.parametrize("pk", ["0", "77", "9" * 40, "abc", "\0", "-1"])
def test_page_of_no_message_says_so(client, pk):
    response = client.get(f"{LIST}{pk}/change/")
    assert response.status_code == 302


def test_page_offers_nothing_to_those_who_may_only_look(reader):
    [message] = write()
    response = reader.get(page(message))
    assert "actions" not in response.context
    assert b"mobilon-sms-tools" not in response.content


def test_what_people_wrote_is_escaped_everywhere(client):
    [message] = write(text=XSS, tag=XSS)
    SmsMessage.objects.filter(pk=message.pk).change(number=XSS[:16], source=XSS)
    for address in (LIST, page(message), f"{LIST}{message.pk}/history/"):
        assert XSS not in client.get(address).content.decode()
        assert "<script>alert" not in client.get(address).content.decode()
