"""Nobody learns by a request what others wrote: guesses are answered alike, right or wrong."""

from __future__ import annotations

from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from django_mobilon_sms.models import SmsMessage
from tests.support.messages import write
from tests.support.rest_door import ALL, codes, list_codes, login, post

pytestmark = [pytest.mark.django_db, pytest.mark.databases]

CODE = {"number": "+79135292926", "text": "Код 4711", "tag": "login", "priority": "high"}
TAKEN = {
    "type": "urn:problem-type:mobilon-sms:conflict",
    "title": "Conflict",
    "status": 409,
    "detail": "This guid is taken.",
    "code": "conflict",
    "errors": [{"field": "guid", "code": "conflict", "message": "This guid is taken."}],
    "request_id": "same",
}

#: Callers who may not learn the text of another's message, by the setting they meet.
CONFINED = {
    "no text": (("view_smsmessage", "add_smsmessage", "send_smsmessage"), False),
    "no messages": (("view_smsmessage_text", "add_smsmessage"), False),
    "write only": (("add_smsmessage",), False),
    "own messages only": (ALL, True),
}


@pytest.fixture(params=CONFINED)
def guesser(request: pytest.FixtureRequest, settings) -> APIClient:
    permissions, settings.MOBILON_SMS_REST_OWN_MESSAGES_ONLY = CONFINED[request.param]
    return login(*permissions, name="guesser")


def test_guid_of_another_is_taken_whatever_is_guessed(guesser):
    guid = post(login(*ALL), CODE).json()["guid"]
    write(guid=(unowned := uuid4()), text=CODE["text"])
    guesses = [
        CODE,
        *(CODE | {"text": f"Код {n}"} for n in range(4709, 4714)),
        *(CODE | change for change in ({"tag": "x"}, {"number": "89020000000"}, {"text": "я" * 5})),
        {"number": CODE["number"], "text": CODE["text"]},
    ]
    guesser.credentials(HTTP_REQUEST_ID="same")
    for each in (guid, str(unowned)):
        answers = [post(guesser, guess | {"guid": each}) for guess in guesses]
        assert {answer.status_code for answer in answers} == {409}
        assert [answer.json() for answer in answers] == [TAKEN] * len(answers)
        in_list = [post(guesser, [guess | {"guid": each}] * 2) for guess in guesses]
        assert {answer.content for answer in in_list} == {in_list[0].content}
        assert list_codes(in_list[0]) == [(0, "guid", "conflict"), (1, "guid", "conflict")]
    assert SmsMessage.objects.count() == 2


def test_own_repeat_is_answered_though_its_text_is_not_shown(guesser):
    body = CODE | {"guid": str(uuid4())}
    assert [post(guesser, body).status_code for _ in range(2)] == [201, 200]
    differs = post(guesser, body | {"text": "Код 1", "tag": "x"})
    assert (differs.status_code, codes(differs)) == (409, {"guid": ["conflict"]})
    assert "another text, tag." in differs.json()["detail"]


def test_who_sees_messages_and_texts_is_answered_by_the_message_of_another():
    guid = post(login(*ALL), CODE).json()["guid"]
    reader = login(*ALL, name="reader")
    assert post(reader, CODE | {"guid": guid}).json()["guid"] == guid
    differs = post(reader, CODE | {"guid": guid, "text": "Код 1"})
    assert "another text." in differs.json()["detail"]


def test_only_own_messages_of_a_confined_caller_count_as_duplicates(guesser, settings):
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 60
    post(login(*ALL), CODE)
    write(text="Код 4712")
    guesses = [CODE | {"text": f"Код {n}"} for n in range(4709, 4714)]
    assert post(guesser, guesses).status_code == 201
    again = post(guesser, [*guesses[:1], CODE | {"text": "Код 1"}])
    assert (again.status_code, list_codes(again)) == (400, [(0, "text", "duplicate")])
    twice = post(guesser, [CODE | {"text": "Код 2"}] * 2)
    assert list_codes(twice) == [(1, "text", "duplicate")]


def test_messages_of_all_count_as_duplicates_for_who_sees_them(client, settings):
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 60
    write(text=CODE["text"])
    assert codes(post(client, CODE)) == {"text": ["duplicate"]}
