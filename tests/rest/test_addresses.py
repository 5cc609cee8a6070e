"""Each address with and without its last slash: both do the same, and none is a redirect."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from django_mobilon_sms.models import SmsMessage, StoppedNumber
from django_mobilon_sms.outbox import stop
from django_mobilon_sms.rest.urls import router
from tests.support.messages import write
from tests.support.rest_door import ALL, GOOD, login

pytestmark = pytest.mark.django_db

BODIES = {
    "message-list": GOOD,
    "message-create-many": [GOOD, GOOD],
    "message-resend": {"accept_duplicate": True},
    "message-search": {"number": "+79135292926"},
    "stopped-number-list": {"numbers": ["+79029801212"]},
    "stopped-number-search": {"number": "+79029801212"},
    "stopped-number-remove": {"numbers": ["+79029801212"]},
}
#: Of each address and method.
CALLS = [(url, method) for url in router.urls for method in url.callback.actions]


@pytest.fixture
def client() -> APIClient:
    return login(*ALL, "view_stoppednumber", "add_stoppednumber", "delete_stoppednumber")


@pytest.mark.parametrize(
    ("url", "method"), CALLS, ids=[f"{method} {url.pattern}" for url, method in CALLS]
)
def test_address_without_its_last_slash_is_no_redirect(client, settings, url, method):
    settings.MOBILON_SMS_EVENTS = "30d"
    answers = []
    for slash in ("/", ""):
        StoppedNumber.objects.all().delete()
        [message] = write()
        stop(["+79029801212"])
        path = str(url.pattern).replace("<str:guid>", str(message.guid)).rstrip("/") + slash
        body = BODIES.get(url.name, {}) if method == "post" else None
        answers.append(getattr(client, method)(f"/sms/{path}", body, format="json"))
    assert {answer.status_code for answer in answers} <= {200, 201, 202, 204, 409}
    assert len({answer.status_code for answer in answers}) == 1


def test_message_posted_without_the_last_slash_is_written(client):
    response = client.post("/sms/messages", GOOD, format="json")
    assert response.status_code == 201
    message = SmsMessage.objects.get()
    assert response["Location"] == f"http://testserver/sms/messages/{message.guid}/"
    assert client.post(f"/sms/messages/{message.guid}/cancel").json()["status"] == "cancelled"
