"""The OWASP API Security Top 10 (2023), each risk tried through the door."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.urls import reverse
from rest_framework.test import APIClient

from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.models import SmsMessage, StoppedNumber
from django_mobilon_sms.outbox import stop
from django_mobilon_sms.rest.serializers import MessageSerializer
from tests.support.messages import write
from tests.support.rest_door import ALL, GOOD, basic, code, codes, login, post, with_password

pytestmark = pytest.mark.django_db

SECRET = "Код Zq4711"


def every_address(message: SmsMessage) -> list[tuple[str, str]]:
    one = f"/sms/messages/{message.guid}/"
    return [
        ("get", "/sms/messages/"),
        ("post", "/sms/messages/"),
        ("get", "/sms/messages/summary/"),
        ("get", one),
        *(("post", f"{one}{action}/") for action in ("refresh", "cancel", "resend")),
        ("get", "/sms/stop-list/"),
        ("post", "/sms/stop-list/"),
        ("post", "/sms/messages/search/"),
        ("post", "/sms/stop-list/search/"),
        ("post", "/sms/stop-list/remove/"),
    ]


def state() -> tuple[Any, ...]:
    """All that a request could have changed."""
    rows = SmsMessage.objects.order_by("pk").values_list(
        "pk", "status", "resends", "batch__next_check_at"
    )
    return (*rows, *StoppedNumber.objects.values_list("number", flat=True))


def test_api1_broken_object_level_authorization(client, settings):
    """A message of another cannot be read, acted on or probed by its guid or by a filter."""
    settings.MOBILON_SMS_REST_OWN_MESSAGES_ONLY = True
    [theirs] = write(guid="7802d99b-3917-41ac-a0b7-52d5d44e6cd3", tag="theirs", text=SECRET)
    one, before = f"/sms/messages/{theirs.guid}/", state()
    answers = [
        client.get(one),
        *(post(client, {}, f"{theirs.guid}/{action}/") for action in ("refresh", "cancel")),
        post(client, {"accept_duplicate": True}, f"{theirs.guid}/resend/"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    found = post(client, {"number": theirs.number}, "search/")
    assert found.json()["results"] == []
    for query in ("tag=theirs", "status=pending"):
        assert client.get(f"/sms/messages/?{query}").json()["results"] == []
        assert client.get(f"/sms/messages/summary/?{query}").json()["statuses"] == []
    taken = post(client, GOOD | {"guid": str(theirs.guid)})
    assert (taken.status_code, codes(taken)) == (409, {"guid": ["conflict"]})
    assert SECRET not in "".join(answer.content.decode() for answer in [*answers, taken])
    assert state() == before


def test_api2_broken_authentication():
    """Nobody comes in without a login, by a wrong or old password, or while switched off."""
    [message], _stopped = write(), stop(["+79029801212"])
    user = with_password(*ALL)
    before = state()
    wrong = [
        APIClient(),
        basic("billing", "wrong"),
        basic("billing", ""),
        basic("nobody", "secret"),
        basic("bill\0ing", "secret"),
    ]
    for header in ("Basic", "Basic !!!", "Basic YmlsbGluZw==", "Bearer secret"):
        stranger = APIClient()
        stranger.credentials(HTTP_AUTHORIZATION=header)
        wrong.append(stranger)
    for method, address in every_address(message):
        for stranger in wrong:
            answer = getattr(stranger, method)(address, {}, format="json")
            assert answer.status_code in (401, 403)
            assert code(answer) in ("not_authenticated", "authentication_failed")
    right = basic("billing", "secret")
    assert right.get("/sms/messages/").status_code == 200
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert right.get("/sms/messages/").status_code in (401, 403)
    assert state() == before


@pytest.mark.parametrize("name", [*MessageSerializer.Meta.fields, "id", "created_by", "batch"])
def test_api3_broken_object_property_level_authorization(client, name):
    """No field of the program is written by a client, no text read without its permission."""
    own = {"guid", "number", "source", "text", "priority", "send_at", "expires_at", "tag"}
    if name not in own:
        refused = post(client, GOOD | {name: "sent"})
        assert (refused.status_code, codes(refused)) == (400, {name: ["unknown_field"]})
    reader = login("view_smsmessage", "add_smsmessage", "send_smsmessage", name="reader")
    guid = post(reader, GOOD | {"text": SECRET}).json()["guid"]
    pages = [
        reader.get("/sms/messages/"),
        reader.get(f"/sms/messages/{guid}/"),
        reader.get(f"/sms/messages/{guid}/", HTTP_ACCEPT="text/html"),
        reader.get("/sms/messages/summary/"),
        post(reader, {}, f"{guid}/cancel/"),
        post(reader, {}, f"{guid}/cancel/"),
    ]
    assert "Zq4711" not in "".join(page.content.decode() for page in pages)
    shown = reader.get(f"/sms/messages/{guid}/").json()
    assert set(shown) == set(MessageSerializer.Meta.fields)


def test_api4_unrestricted_resource_consumption(client, settings, monkeypatch):
    """Bodies, lists, pages, counts and rates have a bound."""
    monkeypatch.setattr("django_mobilon_sms.rest.messages.summary.MAX_COUNTED", 5)
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    body = json.dumps(GOOD | {"text": "x" * (2 * 1024 * 1024)})
    big = client.generic("POST", "/sms/messages/", body, content_type="application/json")
    assert big.status_code == 413
    assert codes(post(client, [GOOD] * 1001)) == {"non_field_errors": ["length"]}
    assert codes(post(client, GOOD | {"text": "я" * 671})) == {"text": ["too_long"]}
    assert post(client, [GOOD] * 1000).status_code == 201
    assert post(client, [GOOD] * 10).status_code == 201
    assert len(client.get("/sms/messages/?page_size=100000").json()["results"]) == 1000
    assert client.get("/sms/messages/summary/").json()["complete"] is False
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"mobilon_sms_create": "1/min"}}
    cache.clear()
    assert [post(client, GOOD).status_code for _ in range(2)] == [201, 429]


def test_api5_broken_function_level_authorization():
    """Each function asks for its own permission; no method does what none was made for."""
    [message], _stopped = write(), stop(["+79029801212"])
    needs = {
        ("get", "messages"): "view_smsmessage",
        ("post", "messages"): "add_smsmessage",
        ("get", "stop-list"): "view_stoppednumber",
        ("post", "stop-list"): "add_stoppednumber",
    }
    own = {
        "/sms/messages/search/": "view_smsmessage",
        "/sms/stop-list/search/": "view_stoppednumber",
        "/sms/stop-list/remove/": "delete_stoppednumber",
    }
    before = state()
    for method, address in every_address(message):
        needed = own.get(address) or needs[method, address.split("/")[2]]
        if method == "post" and str(message.guid) in address:
            resends = address.endswith("/resend/")
            needed = "resend_smsmessage" if resends else "send_smsmessage"
        others = {*ALL, *needs.values(), *own.values()} - {needed}
        answer = getattr(login(*others), method)(address, {}, format="json")
        assert (answer.status_code, code(answer)) == (403, "permission_denied")
    everything = login(*ALL, *needs.values(), *own.values())
    for method in ("put", "patch", "delete", "trace"):
        for address in ("/sms/messages/", f"/sms/messages/{message.guid}/"):
            assert getattr(everything, method)(address).status_code == 405
    for action in ("refresh", "cancel", "resend"):
        assert everything.get(f"/sms/messages/{message.guid}/{action}/").status_code == 405
    assert state() == before


def test_api6_unrestricted_access_to_sensitive_business_flows(client, settings):
    """Messages cannot be pumped to one number, doubled, or sent to who does not want them."""
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = 2
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 60
    asked = [GOOD | {"text": text} for text in ("1", "1", "2", "3")]
    assert [post(client, body).status_code for body in asked] == [201, 400, 201, 429]
    stop(["+79029801212"])
    assert codes(post(client, GOOD | {"number": "+79029801212"})) == {"number": ["stopped"]}
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    guid = SmsMessage.objects.all()[0].guid
    assert post(client, {}, f"{guid}/resend/").status_code == 400  # not by accident
    assert SmsMessage.objects.count() == 2


def test_api7_server_side_request_forgery(client, sandbox):
    """No request makes the server ask another: neither the gateway nor an address in a field."""
    address = f"{sandbox.url}latest/meta-data/"
    post(client, GOOD | {"text": address, "tag": address})
    assert codes(post(client, GOOD | {"number": address})) == {"number": ["letters"]}
    assert codes(post(client, GOOD | {"callback_url": address})) == {
        "callback_url": ["unknown_field"]
    }
    guid = SmsMessage.objects.get().guid
    for action in ("refresh", "cancel"):
        post(client, {}, f"{guid}/{action}/")
    client.get(f"/sms/messages/?tag={address}")
    assert sandbox.exchanges == []


def test_api8_security_misconfiguration(client, settings):
    """Careless settings of the project open nothing, and errors reveal nothing of the inside."""
    [message] = write(text=SECRET)
    settings.REST_FRAMEWORK = {
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
        "DEFAULT_THROTTLE_RATES": {},
    }
    settings.DEBUG = True
    assert APIClient().get("/sms/messages/").status_code == 403
    assert APIClient().get(f"/sms/messages/{message.guid}/").status_code == 403
    forged = APIClient(enforce_csrf_checks=True)
    forged.force_login(User.objects.get(username="billing"))
    assert post(forged, GOOD).status_code == 403
    assert client.post("/sms/messages/", GOOD).status_code == 415  # a form
    for answer in (
        post(client, {"number": {"$ne": 1}, "text": ["x"]}),
        client.get("/sms/messages/?tag=' OR 1=1 --&source=1"),
        client.get("/sms/messages/%27%20OR%201=1/"),
    ):
        text = answer.content.decode()
        assert answer.status_code in (200, 400, 404)
        assert answer["Content-Type"] in ("application/json", "application/problem+json")
        assert not [word for word in ("Traceback", "SELECT", "django", SECRET) if word in text]


def test_api9_improper_inventory_management():
    """One version, at one place; openapi.yaml names all of it (see test_openapi)."""
    assert reverse("mobilon_sms:message-list") == "/sms/messages/"
    for old in ("/sms/", "/sms/v1/messages/", "/sms/api/", "/sms/schema/", "/sms/messages.json"):
        assert login(*ALL).get(old).status_code == 404


ECHO = "password=Zq7"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"name": "body", "body": ECHO.encode()}, "unknown"),
        ({"name": "http", "code": 500, "body": ECHO.encode()}, "unknown"),
        ({"name": "changed", "changes": {"id": ECHO * 10}}, "unknown"),
        ({"name": "changed", "changes": {"id": ["x"], "status": ECHO}}, "unknown"),
        ({"name": "extra_keys"}, "accepted"),
        ({"name": "changed", "changes": {"id": "<script>alert(1)</script>"}}, "accepted"),
    ],
)
def test_api10_unsafe_consumption_of_apis(client, sandbox, worker, fault, status):
    """What the gateway says is not believed without proof, and nothing of it is passed on raw."""
    guid = post(client, GOOD).json()["guid"]
    sandbox.fault(**fault)
    worker("--no-refresh")
    address = f"/sms/messages/{guid}/"
    shown, page = client.get(address), client.get(address, HTTP_ACCEPT="text/html")
    assert shown.json()["status"] == status
    for answer in (shown, page):
        assert ECHO not in answer.content.decode()
    assert "<script>alert" not in page.content.decode()
    assert shown["Content-Type"] == "application/json"
