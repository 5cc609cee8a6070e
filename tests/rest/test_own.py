"""``MOBILON_SMS_REST_OWN_MESSAGES_ONLY``: what others wrote does not exist, guessed or known."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.models import SmsMessage
from tests.support.messages import write
from tests.support.rest_door import ALL, GOOD, login, post

pytestmark = [pytest.mark.django_db, pytest.mark.databases]


@pytest.fixture(autouse=True)
def _confined(settings: Any) -> None:
    settings.MOBILON_SMS_REST_OWN_MESSAGES_ONLY = True


@pytest.fixture
def mine() -> APIClient:
    return login(*ALL)


@pytest.fixture
def theirs() -> APIClient:
    return login(*ALL, name="shop")


ADDRESSES = [
    ("get", "{guid}/"),
    ("post", "{guid}/refresh/"),
    ("post", "{guid}/cancel/"),
    ("post", "{guid}/resend/"),
]


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_message_of_another_is_as_if_it_were_not(mine, theirs, method, path):
    guid = post(theirs, GOOD).json()["guid"]
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    [unowned] = write()

    def answer(guid: object) -> tuple[int, bytes]:
        body = {"accept_duplicate": True} if "resend" in path else {}
        ask = getattr(mine, method)
        address = f"/sms/messages/{path.format(guid=guid)}"
        response = ask(address, body, format="json", HTTP_REQUEST_ID="same")
        return response.status_code, response.content

    answers = {answer(each) for each in (guid, unowned.guid, uuid4(), "7802")}
    assert {code for code, _ in answers} == {404}
    assert len(answers) == 1
    assert set(SmsMessage.objects.values_list("status", "resends")) == {
        ("unknown", 0),
        ("pending", 0),
    }


def test_own_messages_are_found_counted_and_acted_on(mine, theirs):
    own = [post(mine, GOOD | {"tag": "a"}).json()["guid"] for _ in range(2)]
    post(theirs, GOOD | {"tag": "a"})
    write(tag="a")
    found = mine.get("/sms/messages/?tag=a").json()["results"]
    assert [one["guid"] for one in found] == own[::-1]
    assert mine.get("/sms/messages/summary/").json()["statuses"] == [
        {"status": "pending", "messages": 2, "segments": 2}
    ]
    assert mine.get(f"/sms/messages/{own[0]}/").json()["guid"] == own[0]
    assert post(mine, {}, f"{own[0]}/cancel/").json()["status"] == "cancelled"


def test_page_after_a_message_of_another_is_gone(mine, theirs):
    post(mine, GOOD)
    post(theirs, [GOOD] * 3)
    page = theirs.get("/sms/messages/?page_size=1").json()
    assert theirs.get(page["next"]).status_code == 200
    assert mine.get(page["next"]).status_code == 410


def test_search_finds_own_messages_only(mine, theirs):
    own = post(mine, GOOD).json()["guid"]
    post(theirs, GOOD)
    found = post(mine, {"number": GOOD["number"]}, "search/").json()["results"]
    assert [one["guid"] for one in found] == [own]
    every = [str(message.guid) for message in SmsMessage.objects.all()]
    found = post(mine, {"guids": every}, "search/").json()["results"]
    assert [one["guid"] for one in found] == [own]


def test_guid_of_another_is_taken_and_nothing_else(mine, theirs):
    guid = post(theirs, GOOD).json()["guid"]
    for body in (GOOD, GOOD | {"text": "другое"}):
        response = post(mine, body | {"guid": guid})
        assert response.status_code == 409
        assert response.json()["errors"] == [
            {"field": "guid", "code": "conflict", "message": "This guid is taken."}
        ]


def test_superuser_is_confined_too(theirs):
    guid = post(theirs, GOOD).json()["guid"]
    root = APIClient()
    root.force_login(User.objects.create_superuser("root"))
    assert root.get(f"/sms/messages/{guid}/").status_code == 404
    assert root.get("/sms/messages/").json()["results"] == []


def test_without_the_setting_who_may_see_sees_all(mine, theirs, settings):
    settings.MOBILON_SMS_REST_OWN_MESSAGES_ONLY = False
    guid = post(theirs, GOOD).json()["guid"]
    assert mine.get(f"/sms/messages/{guid}/").status_code == 200
