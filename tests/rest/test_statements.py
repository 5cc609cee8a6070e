"""How many statements each REST endpoint makes, on each database, however much there is."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.models import SmsMessage, db_now
from django_mobilon_sms.outbox import stop
from tests.support.messages import asked_batch, write
from tests.support.rest_door import ALL, GOOD, login

pytestmark = [pytest.mark.django_db, pytest.mark.databases]

STOP = ("view_stoppednumber", "add_stoppednumber", "delete_stoppednumber")
#: Of every request: the session, the user, the permissions of the user and of its groups.
WHO = 4
#: Around what is written: where a transaction begins and ends.
ATOMIC = 2
KEYED: Any = {"headers": {"Idempotency-Key": "order 7"}}

# By what is asked, and how many statements there are besides ``WHO``.
ENDPOINTS = {
    "list": ("get", "messages/", None, 1),
    "list of a time": ("get", "messages/?ordering=sent_at&status=sent", None, 1),
    "search": ("post", "messages/search/", {"number": "+79135292926"}, 1),
    "search by guids": ("post", "messages/search/", {"guids": [str(uuid4())] * 1000}, 1),
    # The message that the cursor names, the page.
    "next page": ("get", "messages/?cursor={cursor}", None, 2),
    "one": ("get", "messages/{guid}/", None, 1),
    "summary": ("get", "messages/summary/", None, 1),
    # The state of the gateway; what is due and the oldest of it, by priority; the rate.
    "queue": ("get", "messages/queue/", None, 1 + 3 + 3 + 1),
    # The INSERT, the stop list.
    "write one": ("post", "messages/", GOOD, ATOMIC + 2),
    "write a list": ("post", "messages/many/", [GOOD] * 20, ATOMIC + 2),
    # And the key: whether it is kept, its INSERT.
    "write with a key": ("post", "messages/", GOOD, ATOMIC + 4),
    # The key, the messages.
    "write again": ("post", "messages/", GOOD, 1 + 1),
    # The message, the time of its batch, whether it is asked for, the message as it is then.
    "refresh": ("post", "messages/{guid}/refresh/", {}, 4),
    # Those that were resent, and the others.
    "cancel": ("post", "messages/{guid}/cancel/", {}, 2 + 2),
    "resend": ("post", "messages/{guid}/resend/", {"accept_duplicate": True}, 3),
    "stop list": ("get", "stop-list/", None, 1),
    "stopped number": ("post", "stop-list/search/", {"number": "+79029800000"}, 1),
    # What is on it, the INSERT, what waits: resent and not.
    "stop": ("post", "stop-list/", {"numbers": ["+79029801212"]}, 1 + ATOMIC + 1 + 2),
    "take off": ("post", "stop-list/remove/", {"numbers": ["+79029800000"]}, ATOMIC + 1),
}


@pytest.fixture
def client() -> APIClient:
    return login(*ALL, *STOP)


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize("count", [1, 30])
def test_endpoint_makes_as_many_statements_as_listed(client, name, count):
    method, path, body, asked = ENDPOINTS[name]
    message = write(count)[-1]
    stop([f"+7902980{n:04}" for n in range(count)])
    if name == "resend":
        SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    more = KEYED if name in ("write with a key", "write again") else {}
    if name == "refresh":
        proved = {"gateway_id": "7", "accepted_at": db_now(), "batch": asked_batch()}
        SmsMessage.objects.all().change(status="accepted", **proved)
    if name == "write again":
        client.post("/sms/messages/", body, format="json", **more)
    cursor = b64encode(f"p={message.guid}".encode()).decode()
    address = path.format(guid=message.guid, cursor=quote(cursor))
    with CaptureQueriesContext(connection) as made:
        answer = getattr(client, method)(f"/sms/{address}", body, format="json", **more)
    assert answer.status_code < 300
    assert len(made) - WHO == asked, [query["sql"][:120] for query in made]
