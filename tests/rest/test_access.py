"""Who may do what by REST, how often, and what the browsable API shows."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.rest.messages.views import MessageViewSet
from tests.support.messages import write
from tests.support.rest_door import ALL, GOOD, basic, login, post, with_password

pytestmark = pytest.mark.django_db


def test_basic_authentication_needs_no_csrf_token():
    with_password(*ALL)
    client = basic("billing", "secret")
    client.handler.enforce_csrf_checks = True
    assert post(client, GOOD).status_code == 201
    assert SmsMessage.objects.get().created_by.username == "billing"


def test_wrong_password_is_refused():
    with_password(*ALL)
    response = post(basic("billing", "wrong"), GOOD)
    assert response.status_code in (401, 403)  # 401 where basic authentication comes first
    assert response.json()["code"] == "authentication_failed"


@pytest.mark.databases
@pytest.mark.parametrize("name", ["bill\0ing", "\0", "счёт\0"])
def test_name_that_no_database_keeps_is_a_wrong_one(name):
    client = basic(name, "secret\0")
    response = client.get("/sms/messages/")
    assert response.status_code in (401, 403)
    assert response.json()["code"] == "authentication_failed"
    assert client.get("/sms/messages/", HTTP_ACCEPT="text/html").status_code in (401, 403)


def test_401_names_the_scheme_where_the_project_has_one(monkeypatch):
    from rest_framework.authentication import BasicAuthentication

    monkeypatch.setattr(MessageViewSet, "authentication_classes", [BasicAuthentication])
    response = post(APIClient(), GOOD)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Basic realm="api"')
    assert response.json()["code"] == "not_authenticated"


@pytest.mark.parametrize("nobody", ["django.contrib.auth.models.AnonymousUser", None])
def test_nobody_gets_in_though_the_project_authenticates_nobody(monkeypatch, settings, nobody):
    monkeypatch.setattr(MessageViewSet, "authentication_classes", [])
    settings.REST_FRAMEWORK = {"UNAUTHENTICATED_USER": nobody}
    for answer in (APIClient().get("/sms/messages/"), post(APIClient(), GOOD)):
        assert answer.status_code == 403
    assert SmsMessage.objects.count() == 0


def test_user_who_is_switched_off_gets_nothing():
    user = with_password(*ALL)
    client = basic("billing", "secret")
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get("/sms/messages/").status_code in (401, 403)


@pytest.mark.parametrize("permission", ALL)
def test_each_permission_opens_its_own_and_nothing_else(permission):
    client, [message] = login(permission), write()
    answers = {
        "view_smsmessage": client.get("/sms/messages/"),
        "add_smsmessage": post(client, GOOD),
        "send_smsmessage": post(client, {}, f"{message.guid}/cancel/"),
    }
    opened = {name for name, answer in answers.items() if answer.status_code != 403}
    assert opened == {permission} & set(answers)


def test_unauthorised_cannot_learn_whether_a_guid_exists():
    [message] = write()
    for client in (APIClient(), login()):
        client.credentials(HTTP_REQUEST_ID="same")
        known = client.get(f"/sms/messages/{message.guid}/")
        unknown = client.get("/sms/messages/7802d99b-3917-41ac-a0b7-52d5d44e6cd3/")
        assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())


def limited(rates: dict[str, Any]) -> dict[str, Any]:
    return {"DEFAULT_THROTTLE_RATES": rates}


def test_rates_of_the_project_win(settings):
    settings.REST_FRAMEWORK = limited({"mobilon_sms_create": "1/min", "mobilon_sms_act": "2/min"})
    client, [message] = login(*ALL), write()
    answers = [post(client, GOOD) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 429]
    assert answers[1].json()["code"] == "throttled"
    assert 0 < int(answers[1]["Retry-After"]) <= 60
    cancel = [post(client, {}, f"{message.guid}/cancel/").status_code for _ in range(3)]
    assert cancel == [200, 409, 429]


def test_each_user_has_a_rate_of_its_own(settings):
    settings.REST_FRAMEWORK = limited({"mobilon_sms_create": "1/min"})
    clients = [login(*ALL), login(*ALL, name="shop")]
    assert [post(client, GOOD).status_code for client in clients * 2] == [201, 201, 429, 429]


def test_project_may_set_no_limit(settings):
    settings.REST_FRAMEWORK = limited({"mobilon_sms_act": None})
    client, [message] = login(*ALL), write()
    codes = {post(client, {}, f"{message.guid}/cancel/").status_code for _ in range(130)}
    assert codes == {200, 409}


def test_acting_is_limited_to_120_a_minute():
    client, [message] = login(*ALL), write()
    codes = [post(client, {}, f"{message.guid}/cancel/").status_code for _ in range(121)]
    assert codes == [200, *[409] * 119, 429]


class OncePerMinute(UserRateThrottle):
    """A throttle of the project."""

    rate = "1/min"


def test_throttles_of_the_project_hold_here_too(monkeypatch):
    monkeypatch.setattr(MessageViewSet, "throttle_classes", [AnonRateThrottle, OncePerMinute])
    client = login(*ALL)
    assert [post(client, GOOD).status_code for _ in range(2)] == [201, 429]


# The browsable API


@pytest.mark.parametrize(
    "path", ["", "{guid}/", "summary/", "queue/", "{guid}/cancel/", "{guid}/resend/"]
)
def test_pages_can_be_browsed_and_change_nothing(path):
    [message] = write()
    client = login(*ALL)
    answer = client.get(f"/sms/messages/{path.format(guid=message.guid)}", HTTP_ACCEPT="text/html")
    assert answer.status_code == (405 if path.endswith(("cancel/", "resend/")) else 200)
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    message.refresh_from_db()
    assert (message.status, SmsMessage.objects.count()) == ("pending", 1)


def test_list_page_offers_to_write_to_those_who_may():
    writer, reader = login(*ALL), login("view_smsmessage", name="reader")
    pages = [c.get("/sms/messages/", HTTP_ACCEPT="text/html") for c in (writer, reader)]
    assert ["_content" in page.content.decode() for page in pages] == [True, False]


@pytest.mark.parametrize("path", ["", "{guid}/", "summary/", "queue/", "{guid}/refresh/"])
def test_no_page_shows_a_text_to_those_who_may_not_see_it(path):
    [message] = write(text="Код Zq4711")
    client = login("view_smsmessage", "add_smsmessage", "send_smsmessage")
    address = f"/sms/messages/{path.format(guid=message.guid)}"
    method = client.post if path.endswith("refresh/") else client.get
    page = method(address, HTTP_ACCEPT="text/html").content.decode()
    assert page.startswith("<!DOCTYPE html>") or "<html" in page
    assert "Zq4711" not in page


def test_options_show_nothing_of_the_messages():
    write(text="Код Zq4711")
    answer = login(*ALL).options("/sms/messages/")
    assert answer.status_code == 200
    assert "Zq4711" not in answer.content.decode()
    assert APIClient().options("/sms/messages/").status_code == 403
