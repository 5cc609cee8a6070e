"""The form that writes a message and the page to read one, through the admin's door."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import User
from django.test import Client

from django_mobilon_sms.choices import ErrorCode, Resolution, Status
from django_mobilon_sms.clock import db_now
from django_mobilon_sms.models import SmsBatch, SmsMessage
from django_mobilon_sms.outbox import send_sms

from .admin_door import ADD, EVERYTHING, LIST, change, page, person, text_of, told
from .conftest import write

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
XSS = "<script>alert(1)</script>\"'&"


@pytest.fixture
def client():
    return person(*EVERYTHING)


@pytest.fixture
def reader():
    """Sees messages, but not their texts."""
    return person("view_smsmessage", name="reader")


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
    for word in ("+79135292926", "order 7", "low", str(message.guid), "89234560000"):
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
    assert boss.get(page(message)).context["verbs"] != []
    assert SmsMessage.objects.values().get() == before


@pytest.mark.parametrize("pk", ["0", "77", "9" * 40, "abc", "\0", "-1"])
def test_page_of_no_message_says_so(client, pk):
    response = client.get(f"{LIST}{pk}/change/")
    assert response.status_code == 302


def test_page_offers_nothing_to_those_who_may_only_look(reader):
    [message] = write()
    response = reader.get(page(message))
    assert "verbs" not in response.context
    assert b"mobilon-sms-tools" not in response.content


def test_what_people_wrote_is_escaped_everywhere(client):
    [message] = write(text=XSS, tag=XSS)
    SmsMessage.objects.filter(pk=message.pk).change(number=XSS[:16], source=XSS)
    for address in (LIST, page(message), f"{LIST}{message.pk}/history/"):
        assert XSS not in client.get(address).content.decode()
        assert "<script>alert" not in client.get(address).content.decode()


# The form to write


def form(client, **fields):
    """Fill the form in and send it; fields of None are left out."""
    shown = client.get(ADD).context["adminform"].form
    given = {
        "number": "8 (913) 529-29-26",
        "text": "Ваш заказ готов",
        "source": shown["source"].value(),
        "priority": "5",
        "once": str(shown["once"].value()),
    }
    data = {name: value for name, value in (given | fields).items() if value is not None}
    return client.post(ADD, data, follow=True)


def test_form_writes_a_message_that_waits_for_the_worker(client):
    response = form(
        client, text=" Готово\r\n ", tag="order 7", priority="0",
        send_at_0="2030-01-02", send_at_1="03:04:05",
        expires_at_0="2030-01-03", expires_at_1="03:04:05",
    )  # fmt: skip
    assert response.redirect_chain == [(LIST, 302)]
    assert told(response) == ["The message was written and waits for the worker."]
    message = SmsMessage.objects.get()
    assert {
        name: str(getattr(message, name))
        for name in ("number", "text", "source", "tag", "priority", "status", "send_at", "due_at")
    } == {
        "number": "+79135292926",
        "text": " Готово\n ",
        "source": "89234560000",
        "tag": "order 7",
        "priority": "0",
        "status": "pending",
        "send_at": "2030-01-01 20:04:05+00:00",
        "due_at": "2030-01-01 20:04:05+00:00",
    }
    assert message.expires_at - message.send_at == timedelta(days=1)
    assert message.created_by.username == "anna"
    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.object_repr) == (ADDITION, str(message))
    assert "Готово" not in entry.change_message


def test_form_sent_twice_writes_one_message(client):
    once = str(uuid4())
    form(client, once=once)
    assert told(form(client, once=once)) == [
        "This form had written its message already. It was not written twice."
    ]
    assert (SmsMessage.objects.count(), LogEntry.objects.count()) == (1, 1)
    response = form(client, once=once, text="Другой текст")
    shown = "This form has written a message already. Open a new one for another."
    assert shown in text_of(response)
    assert SmsMessage.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"number": ""}, {"number": ["This field is required."]}),
        (
            {"number": "8 913"},
            {
                "number": [
                    "There are too few digits for a phone number. A Russian number has ten after"
                    " +7 or 8."
                ]
            },
        ),
        ({"text": "  \n "}, {"text": ["Write a text."]}),
        ({"text": "a\0b"}, {"text": ["Remove the NUL character."]}),
        (
            {"text": "я" * 671},
            {
                "text": [
                    "The text has 11 parts, and only 10 parts are allowed. Shorten it."
                ]
            },
        ),
        (
            {"source": "8 923"},
            {
                "source": [
                    "Write the sender as the vendor gave it: 1 to 32 letters or digits, no spaces."
                ]
            },
        ),
        (
            {"priority": "7"},
            {"priority": ["Select a valid choice. 7 is not one of the available choices."]},
        ),
        ({"tag": "я" * 65}, {"tag": ["Write a tag of at most 64 printable characters."]}),
        (
            {"send_at_0": "garbage", "send_at_1": "", "number": "x", "text": ""},
            {
                "send_at": ["Enter a valid date."],
                "number": ["A phone number can not hold letters. Enter all of its digits."],
                "text": ["This field is required."],
            },
        ),
        (
            {"send_at_0": "0001-01-01", "send_at_1": "00:00"},
            {"send_at": ["Give a time between the years 2000 and 2999."]},
        ),
        (
            {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
            {"expires_at": ["It must expire after it is to be sent."]},
        ),
    ],
    ids="-".join,
)  # fmt: skip
def test_form_tells_what_is_wrong_at_its_field(client, fields, errors):
    response = form(client, **fields)
    assert response.status_code == 200
    assert response.context["adminform"].form.errors == errors
    assert SmsMessage.objects.count() == 0
    assert LogEntry.objects.count() == 0


def test_form_shows_again_what_was_typed(client):
    response = form(client, number="8 913 (нет)", text="\nПервая строка\n")
    html = response.content.decode()
    assert 'value="8 913 (нет)"' in html
    assert "\n\nПервая строка\n</textarea>" in html


def test_form_shows_the_sender_and_takes_none_from_the_settings(client, settings):
    shown = client.get(ADD, {"text": "hello", "number": "+79135292926"}).content.decode()
    assert 'value="89234560000"' in shown
    assert "hello" not in shown
    form(client, source="")
    assert SmsMessage.objects.get().source == "89234560000"
    settings.MOBILON_SMS_SOURCE = ""
    response = form(client, source="")
    assert response.context["adminform"].form.errors == {
        "source": ["Name a sender, or set MOBILON_SMS_SOURCE."]
    }


@pytest.mark.parametrize(
    ("button", "where"), [("_addanother", ADD), ("_continue", LIST + "%d/change/")]
)
def test_button_decides_where_it_goes_on(client, button, where):
    response = form(client, **{button: "yes"})
    message = SmsMessage.objects.get()
    assert response.redirect_chain == [(where.replace("%d", str(message.pk)), 302)]


def test_who_may_only_write_writes():
    writer = person("add_smsmessage", name="writer")
    response = form(writer)
    assert response.redirect_chain == [("/admin/", 302)]
    assert SmsMessage.objects.get().created_by.username == "writer"
    assert writer.get(LIST).status_code == 403


def test_form_is_for_those_who_may_add(reader):
    assert reader.get(ADD).status_code == 403
    assert reader.post(ADD, {"number": "+79135292926", "text": "x"}).status_code == 403
    assert SmsMessage.objects.count() == 0
