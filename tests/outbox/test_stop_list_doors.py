"""The stop list through its doors: the admin and REST."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from django_mobilon_sms.admin import stop_list
from django_mobilon_sms.models import SmsMessage, StoppedNumber
from django_mobilon_sms.outbox import stop
from tests.support.admin_door import notices, person, text_of
from tests.support.messages import write
from tests.support.rest_door import codes, login

pytestmark = pytest.mark.django_db

NUMBER, OTHER = "+79135292926", "+79029801212"
SHOWN, OTHER_SHOWN = "+7 913 529-29-26", "+7 902 980-12-12"
LIST = "/admin/mobilon_sms/stoppednumber/"
ADD = f"{LIST}add/"
REST = "/sms/stop-list/"
ALL = ("view_stoppednumber", "add_stoppednumber", "delete_stoppednumber")


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


@pytest.fixture
def client() -> Client:
    return person(*ALL)


def numbers():
    return list(StoppedNumber.objects.order_by("pk").values_list("number", flat=True))


# Admin


def test_numbers_are_added_and_what_waits_is_cancelled(client):
    write(2)
    form = {"typed": "8 913 529-29-26\n+7 902 980-12-12", "note": "asked"}
    assert notices(client.post(ADD, form, follow=True)) == [
        "2 numbers were added to the stop list.",
        "2 pending messages were cancelled.",
    ]
    assert set(SmsMessage.objects.values_list("status", "error_code")) == {
        ("cancelled", "stop_list")
    }
    assert numbers() == [NUMBER, OTHER]
    row = StoppedNumber.objects.first()
    assert (row.note, row.created_by.username) == ("asked", "anna")
    logged = list(LogEntry.objects.values_list("object_repr", flat=True))
    assert sorted(logged) == ["+7902*****12", "+7913*****26"]


def test_new_number_gets_the_history_and_known_ones_are_named(client):
    """A number that was already on the list has not been added again."""
    stop([NUMBER], note="before")
    assert notices(client.post(ADD, {"typed": f"{NUMBER}\n{OTHER}\n{OTHER}"}, follow=True)) == [
        "1 number was added to the stop list.",
        "1 number was already on the list and keeps its note: +7913*****26",
    ]
    added = StoppedNumber.objects.get(number=OTHER)
    entries = LogEntry.objects.values_list("object_id", "object_repr", "action_flag")
    assert list(entries) == [(str(added.pk), "+7902*****12", ADDITION)]


def test_notice_names_no_more_numbers_than_a_person_reads(client, monkeypatch):
    monkeypatch.setattr(stop_list, "MAX_NAMED", 1)
    stop([NUMBER, OTHER])
    [_added, known] = notices(client.post(ADD, {"typed": f"{NUMBER}\n{OTHER}"}, follow=True))
    assert known == ("2 numbers were already on the list and keep their notes: +7902*****12 …")


def test_numbers_are_added_from_a_file(client):
    file = SimpleUploadedFile("stop.csv", "\ufeff89135292926;Анна\n89029801212;Пётр\n".encode())
    lines = notices(client.post(ADD, {"typed": "", "note": "", "file": file}, follow=True))
    assert lines == ["2 numbers were added to the stop list."]
    assert numbers() == [NUMBER, OTHER]
    again = notices(client.post(ADD, {"typed": NUMBER}, follow=True))
    assert again[0] == "0 numbers were added to the stop list."


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"typed": ""}, "Enter a number, or choose a file."),
        ({"typed": "89135292926\nx"}, "Line 2: "),
        ({"file": ("x.csv", b"\xff\xfe")}, "Save the file in UTF-8."),
        ({"file": ("x.csv", b"0" * 11)}, "Line 1: "),
        ({"file": ("x.csv", b"0" * 101)}, "The file is larger than 1 MB."),
        ({"typed": "89135292926", "note": "n" * 201}, "at most 200 characters"),
    ],
)
def test_wrong_form_adds_nothing_and_says_why(client, monkeypatch, form, error):
    monkeypatch.setattr(stop_list, "MAX_FILE", 100)
    given = {
        name: SimpleUploadedFile(*value) if name == "file" else value
        for name, value in form.items()
    }
    answer = client.post(ADD, given)
    assert error in text_of(answer)
    assert numbers() == []


def test_list_is_searched_by_the_whole_number(client):
    stop([NUMBER, OTHER])
    assert SHOWN in text_of(client.get(LIST))
    found = text_of(client.get(LIST, {"q": "8 (902) 980-12-12"}))
    assert (OTHER_SHOWN in found, SHOWN in found) == (True, False)
    assert OTHER_SHOWN not in text_of(client.get(LIST, {"q": "902"}))


def test_pages_are_named_in_russian(client):
    russian = {"accept-language": "ru"}
    shown = text_of(client.get(LIST, headers=russian))
    assert ("Стоп-лист" in shown, "Добавить номера" in shown) == (True, True)
    assert "номер стоп-листа" not in shown.lower()
    assert "Добавить номера" in text_of(client.get(ADD, headers=russian))
    assert "Добавить номер из" not in text_of(client.get(ADD, headers=russian))


def test_no_sentence_inflects_the_name_of_the_list(client):
    """Russian has "3 стоп-лист" and "Удалить выбранные стоп-лист" from Django's sentences."""
    stop([NUMBER, OTHER])
    shown = text_of(client.get(LIST))
    assert "Take the selected numbers off the list" in shown
    assert ("Total: 2" in shown, "2 stop list" in shown) == (True, False)
    pks = list(StoppedNumber.objects.values_list("pk", flat=True))
    chosen = {"action": "delete_selected", "_selected_action": pks}
    assert "delete the selected numbers?" in text_of(client.post(LIST, chosen))
    off = client.post(LIST, chosen | {"post": "yes"}, follow=True)
    assert notices(off) == ["2 numbers were taken off the stop list."]
    assert numbers() == []
    removed = LogEntry.objects.filter(action_flag=DELETION).values_list("object_repr", flat=True)
    assert sorted(removed) == ["+7902*****12", "+7913*****26"]


@pytest.mark.parametrize("key", ["x", "", "\0", "9" * 30])
def test_action_on_what_is_no_key_is_refused(client, key):
    data = {"action": "delete_selected", "_selected_action": key}
    assert client.post(LIST, data).status_code == 400


def test_note_that_cannot_be_kept_is_named(client):
    response = client.post(ADD, {"typed": NUMBER, "note": "a\u200bb"})
    assert response.context["errors"] == [["Write a note of at most 200 printable characters."]]
    assert not StoppedNumber.objects.exists()


def test_number_is_taken_off_and_can_be_written_to_again(client):
    stop([NUMBER])
    row = StoppedNumber.objects.get()
    assert SHOWN in text_of(client.get(f"{LIST}{row.pk}/change/"))
    client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    assert numbers() == []
    write()


@pytest.mark.parametrize(
    ("rights", "adds", "sees"),
    [((), 403, 403), (("view_stoppednumber",), 403, 200), (("add_stoppednumber",), 302, 403)],
)
def test_admin_asks_for_the_permission(rights, adds, sees):
    client = person(*rights)
    assert client.post(ADD, {"typed": NUMBER}).status_code == adds
    assert client.get(LIST).status_code == sees
    assert len(numbers()) == (adds == 302)


# REST


def test_rest_adds_lists_and_takes_off():
    write()
    program = login(*ALL)
    answer = program.post(REST, {"numbers": ["89135292926", OTHER], "note": "web"}, format="json")
    assert (answer.status_code, answer.json()) == (201, {"added": 2, "cancelled": 1})
    again = program.post(REST, {"numbers": [NUMBER]}, format="json")
    assert (again.status_code, again.json()) == (200, {"added": 0, "cancelled": 0})
    listed = program.get(REST).json()["results"]
    assert [(one["number"], one["note"]) for one in listed] == [(OTHER, "web"), (NUMBER, "web")]
    assert {one["created_at"][-1] for one in listed} == {"Z"}
    found = program.post(f"{REST}search/", {"number": "89029801212"}, format="json")
    assert found.json() == {"next": None, "previous": None, "results": listed[:1]}
    off = program.post(f"{REST}remove/", {"numbers": ["89029801212", "89020000000"]}, format="json")
    assert (off.status_code, off.json(), numbers()) == (200, {"removed": 1}, [NUMBER])
    assert program.post(f"{REST}search/", {"number": OTHER}, format="json").json()["results"] == []


def test_rest_takes_off_nothing_if_a_number_is_wrong():
    stop([NUMBER])
    for bad in ({"numbers": [NUMBER, "12"]}, {"numbers": []}, {"number": NUMBER}, []):
        assert login(*ALL).post(f"{REST}remove/", bad, format="json").status_code == 400
    assert numbers() == [NUMBER]


def test_rest_names_no_number_in_an_address():
    """Otherwise it is in logs; and an ignored one would find, and take off, somebody else's."""
    stop([NUMBER, OTHER])
    client = login(*ALL)
    for path in ("?number=%2B79135292926", "search/?number=%2B79135292926"):
        method = client.post if "search" in path else client.get
        answer = method(f"{REST}{path}")
        assert (answer.status_code, codes(answer)) == (400, {"number": ["number_in_url"]})
        assert "search/" in answer.json()["errors"][0]["message"]
    for path in ("%2B79135292926/", "89135292926/", f"{StoppedNumber.objects.first().pk}/", ""):
        assert client.delete(f"{REST}{path}").status_code in (404, 405)
    assert numbers() == [NUMBER, OTHER]


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ([], {"non_field_errors": ["not_an_object"]}),
        ({}, {"numbers": ["length"]}),
        ({"numbers": []}, {"numbers": ["length"]}),
        ({"numbers": [NUMBER] * 1001}, {"numbers": ["length"]}),
        ({"numbers": NUMBER}, {"numbers": ["length"]}),
        ({"numbers": [5]}, {"numbers": ["not_text"]}),
        ({"numbers": [NUMBER], "note": 5}, {"note": ["invalid"]}),
        ({"numbers": [NUMBER], "note": "a\0"}, {"note": ["invalid"]}),
        ({"numbers": [NUMBER], "not": ""}, {"not": ["unknown_field"]}),
    ],
)
def test_rest_names_what_is_wrong(body, errors):
    answer = login(*ALL).post(REST, body, format="json")
    assert (answer.status_code, codes(answer)) == (400, errors)
    assert numbers() == []


def test_rest_names_the_place_and_the_number_of_each_fault():
    good = [f"+7913529{n:04}" for n in range(1000)]
    sent = [*good[:7], "8 495 x", *good[8:998], 5, {"number": 1}]
    answer = login(*ALL).post(REST, {"numbers": sent}, format="json")
    assert (answer.status_code, numbers()) == (400, [])
    assert [(one["index"], one["number"], one["code"]) for one in answer.json()["errors"]] == [
        (7, "8 495 x", "letters"),
        (998, "5", "not_text"),
        (999, "", "not_text"),
    ]
    assert answer.json()["errors"][0]["message"].startswith("A phone number cannot contain letters")


def test_rest_names_no_more_faults_than_a_person_reads():
    answer = login(*ALL).post(REST, {"numbers": ["x" * 500] * 1000}, format="json")
    faults = answer.json()["errors"]
    assert [one["index"] for one in faults] == list(range(100))
    assert {one["number"] for one in faults} == {"x" * 40}


def test_rest_refuses_to_write_to_a_stopped_number():
    stop([NUMBER])
    answer = login("add_smsmessage").post(
        "/sms/messages/", {"number": NUMBER, "text": "привет"}, format="json"
    )
    assert (answer.status_code, codes(answer)) == (400, {"number": ["stopped"]})


@pytest.mark.parametrize("rights", [None, (), ("view_smsmessage", "add_smsmessage")])
def test_rest_asks_for_the_permission(rights):
    stop([OTHER])
    client = APIClient() if rights is None else login(*rights)
    asked = [
        client.get(REST),
        client.post(f"{REST}search/", {"number": OTHER}, format="json"),
        client.post(REST, {"numbers": [NUMBER]}, format="json"),
        client.post(f"{REST}remove/", {"numbers": [OTHER]}, format="json"),
    ]
    assert {answer.status_code for answer in asked} <= {401, 403}
    assert numbers() == [OTHER]
