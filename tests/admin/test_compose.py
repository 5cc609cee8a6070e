"""The page to write a message on, through the admin's door."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import User
from django.test import Client

from django_mobilon_sms.models import SmsMessage
from tests.support.admin_door import ADD, LIST, notices, page, person, statuses, text_of

pytestmark = pytest.mark.django_db


BUTTONS = ("_save", "_send_now", "_addanother", "_check", "_remove", "_plain")


def form(client, **fields):
    """Fill in and submit the form, without the fields that are None, by "Send" if not otherwise."""
    shown = client.get(ADD).context["adminform"].form
    given = {
        "numbers": "8 (913) 529-29-26",
        "text": "Ваш заказ готов",
        "source": shown["source"].value(),
        "priority": "5",
        "submission_id": str(shown["submission_id"].value()),
    }
    if fields.keys().isdisjoint(BUTTONS):
        given["_save"] = "yes"
    data = {name: value for name, value in (given | fields).items() if value is not None}
    return client.post(ADD, data, follow=True)


def test_form_writes_a_pending_message(client):
    response = form(
        client, text=" Готово\r\n ", tag="order 7", priority="0",
        send_at_0="2030-01-02", send_at_1="03:04:05",
        expires_at_0="2030-01-03", expires_at_1="03:04:05",
    )  # fmt: skip
    assert response.redirect_chain == [(LIST, 302)]
    assert notices(response) == ["The message is queued."]
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
    submission_id = str(uuid4())
    form(client, submission_id=submission_id)
    assert notices(form(client, submission_id=submission_id)) == [
        "This form was already submitted. Its message was not created again."
    ]
    assert (SmsMessage.objects.count(), LogEntry.objects.count()) == (1, 1)
    response = form(client, submission_id=submission_id, text="Другой текст")
    assert (
        "This form was already submitted with other values, and its messages were created."
        in text_of(response)
    )
    assert SmsMessage.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"numbers": ""}, {"numbers": ["This field is required."]}),
        (
            {"numbers": "8 913"},
            {
                "numbers": [
                    "The phone number is too short. A Russian number has ten digits after +7 or 8."
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
            {"send_at_0": "garbage", "send_at_1": "", "numbers": "x", "text": ""},
            {
                "send_at": ["Enter a valid date."],
                "numbers": ["A phone number cannot contain letters. Enter all of its digits."],
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
def test_form_shows_each_error_at_its_field(client, fields, errors):
    response = form(client, **fields)
    assert response.status_code == 200
    assert response.context["adminform"].form.errors == errors
    assert SmsMessage.objects.count() == 0
    assert LogEntry.objects.count() == 0


def test_form_with_errors_keeps_the_typed_values(client):
    response = form(client, numbers="8 913 (нет)", text="\nПервая строка\n")
    html = response.content.decode()
    assert "\n8 913 (нет)</textarea>" in html
    assert "\n\nПервая строка\n</textarea>" in html


def test_form_shows_the_sender_and_takes_none_from_the_settings(client, settings):
    shown = client.get(ADD, {"text": "hello", "numbers": "+79135292926"}).content.decode()
    assert 'value="89234560000"' in shown
    assert "hello" not in shown
    form(client, source="")
    assert SmsMessage.objects.get().source == "89234560000"
    settings.MOBILON_SMS_SOURCE = ""
    response = form(client, source="")
    assert response.context["adminform"].form.errors == {
        "source": ["Name a sender, or set MOBILON_SMS_SOURCE."]
    }


@pytest.mark.parametrize(("button", "where"), [("_addanother", ADD), ("_save", LIST)])
def test_button_decides_the_next_page(client, button, where):
    assert form(client, **{button: "yes"}).redirect_chain == [(where, 302)]


def test_writer_without_other_permissions_writes():
    writer = person("add_smsmessage", name="writer")
    response = form(writer)
    assert response.redirect_chain == [("/admin/", 302)]
    assert SmsMessage.objects.get().created_by.username == "writer"
    assert writer.get(LIST).status_code == 403


def test_form_needs_the_permission_to_add(reader):
    assert reader.get(ADD).status_code == 403
    assert reader.post(ADD, {"numbers": "+79135292926", "text": "x"}).status_code == 403
    assert SmsMessage.objects.count() == 0


# One text to many


MANY = "8 913 529-29-26\n+7 913 529 29 27, 89135292926"
LANDLINE = "This is a landline. Messages are not sent to landlines. Enter a mobile number."
CHECK = f"{ADD}recipients/"


def test_form_writes_one_message_to_each_recipient_and_merges_duplicates(client):
    response = form(client, numbers=MANY, tag="sale")
    assert notices(response) == ["2 messages are queued."]
    rows = SmsMessage.objects.order_by("pk").values_list("number", "text", "tag")
    assert list(rows) == [
        ("+79135292926", "Ваш заказ готов", "sale"),
        ("+79135292927", "Ваш заказ готов", "sale"),
    ]
    assert LogEntry.objects.filter(action_flag=ADDITION).count() == 2


def test_form_sent_again_with_another_recipient_writes_only_to_that_one(client):
    submission_id = str(uuid4())
    form(client, submission_id=submission_id)
    assert notices(form(client, submission_id=submission_id, numbers=MANY)) == [
        "The message is queued.",
        "This form was already submitted. Its message was not created again.",
    ]
    assert SmsMessage.objects.count() == 2


def test_invalid_recipient_keeps_all_messages_from_being_written(client):
    response = form(client, numbers=f"{MANY}\n8 495 123-45-67\nabc")
    assert response.context["adminform"].form.errors == {
        "numbers": [
            "2 entries are not valid numbers. Correct or remove them.",
        ]
    }
    assert f"2 entries are not valid numbers No. 4 8 495 123-45-67 {LANDLINE} Remove" in text_of(
        response
    )
    assert SmsMessage.objects.count() == 0


def test_too_many_recipients_are_referred_to_a_mailing(client):
    numbers = "\n".join(f"8913{number:07}" for number in range(1001))
    response = form(client, numbers=numbers)
    assert response.context["adminform"].form.errors == {
        "numbers": ["There are more than 1000 recipients. Create a mailing instead."]
    }
    assert SmsMessage.objects.count() == 0


@pytest.mark.parametrize(
    ("button", "numbers", "text"),
    [
        ({"_check": "yes"}, f"{MANY}\nabc", "«Order»"),
        ({"_remove": "abc"}, MANY.replace(", ", "\n"), "«Order»"),
        ({"_remove": ""}, MANY.replace(", ", "\n"), "«Order»"),
        ({"_plain": "yes"}, f"{MANY}\nabc", '"Order"'),
    ],
    ids=["check", "remove", "remove all", "plain"],
)
def test_preview_button_writes_nothing(client, button, numbers, text):
    response = form(client, numbers=f"{MANY}\nabc", text="«Order»", **button)
    shown = response.context["adminform"].form
    assert (shown["numbers"].value(), shown["text"].value()) == (numbers, text)
    assert SmsMessage.objects.count() == 0


def test_panel_counts_the_segments_of_all_recipients(client):
    response = form(client, numbers=MANY, text="я" * 71, _check="yes")
    shown = "Alphabet UCS-2: any letters Parts 2 more than the 10 allowed Left in the last part 63"
    assert f"{shown} Parts for all recipients 4" in text_of(response)
    assert "mobilon-sms-over" not in response.content.decode()
    over = form(client, numbers=MANY, text="я" * 671, _check="yes")
    assert "mobilon-sms-over" in over.content.decode()


# Nothing is sent by a key, or to many without a question


def test_form_without_a_button_only_checks(client):
    response = form(client, _save=None)
    assert "Nothing has been sent yet." in text_of(response)
    assert SmsMessage.objects.count() == 0


def test_button_that_the_enter_key_presses_only_checks(client):
    from html.parser import HTMLParser

    found = []

    class Buttons(HTMLParser):
        def handle_starttag(self, tag, attrs):
            given = dict(attrs)
            if (tag, given.get("type")) in (("input", "submit"), ("button", "submit")):
                found.append(given)

    html = client.get(ADD).content.decode()
    Buttons().feed(html[html.index('id="smsmessage_form"') :])
    assert (found[0]["name"], "hidden" in found[0]) == (
        "_check",
        False,
    )  # Safari skips a hidden one
    response = form(client, _check="yes")
    assert "Nothing has been sent yet." in text_of(response)
    assert SmsMessage.objects.count() == 0


def many(count, first=0):
    return "\n".join(f"8913{number:07}" for number in range(first, first + count))


def answer(client, question, **buttons):
    """Press a button of the page that asks."""
    fields = dict(question.context["fields"])
    button = question.context["button"]
    return client.post(ADD, fields | (buttons or {button.name: button.label}), follow=True)


def test_twenty_recipients_get_their_message_without_a_question(client):
    assert notices(form(client, numbers=many(20))) == ["20 messages are queued."]


@pytest.mark.parametrize("button", ["_save", "_addanother", "_send_now"])
def test_more_recipients_get_nothing_before_it_is_confirmed(client, sandbox, button):
    typed = {"numbers": many(21), "text": "я" * 71, "tag": "sale", "priority": "9"}
    question = form(client, **typed, **{button: "yes"})
    shown = text_of(question)
    assert "Messages 21 Parts in each 2 Total parts 42" in shown
    assert (SmsMessage.objects.count(), sandbox.posts) == (0, [])
    assert (question.context["button"].name, "Tag sale" in shown) == (button, True)
    assert "21 messages" in notices(answer(client, question))[0]
    assert set(SmsMessage.objects.values_list("tag", "priority")) == {("sale", 9)}
    again = notices(answer(client, question))
    assert again[0].startswith("This form was already submitted. 21 of its messages")
    assert SmsMessage.objects.count() == 21


def test_confirmation_counts_for_what_was_counted_only(client):
    question = form(client, numbers=many(21))
    fields = dict(question.context["fields"])
    for changed in ({"numbers": many(22)}, {"text": "я" * 71}, {"confirmed": "yes"}):
        response = client.post(ADD, fields | changed | {"_save": "yes"})
        assert "Nothing has been sent yet." in text_of(response)
    assert SmsMessage.objects.count() == 0


def test_one_goes_back_from_the_question_to_what_was_typed(client):
    typed = {"numbers": many(21), "text": "\n<b>Первая</b>\n", "tag": "sale"}
    question = form(client, **typed, send_at_0="2030-01-02", send_at_1="03:04:05")
    assert "<b>Первая" not in question.content.decode()
    shown = answer(client, question, _check="yes").context["adminform"].form
    assert [shown[name].value() for name in typed] == [*typed.values()]
    assert shown["send_at"].value() == ["2030-01-02", "03:04:05"]
    assert "confirmed" not in answer(client, question, _check="yes").content.decode()
    assert SmsMessage.objects.count() == 0


# The recipients while they are typed


def test_recipients_are_checked_while_they_are_typed(client):
    response = client.post(CHECK, {"numbers": f"{MANY}\n8 495 123-45-67"})
    assert text_of(response) == (
        "2 recipients : +79135292926 +79135292927"
        " 1 duplicate was merged: each number gets one message."
        f" 1 entry is not a valid number No. 4 8 495 123-45-67 {LANDLINE} Remove"
    )
    assert (SmsMessage.objects.count(), LogEntry.objects.count()) == (0, 0)


def test_remaining_recipients_come_with_the_answer(client):
    response = client.post(CHECK, {"numbers": "89135292926, <b>", "_remove": "<b>"})
    assert 'data-left="89135292926"' in response.content.decode()
    response = client.post(CHECK, {"numbers": "89135292926, <b>"})
    assert "data-left" not in response.content.decode()
    assert "&lt;b&gt;" in response.content.decode()
    assert "<b>" not in response.content.decode()


def test_recipients_are_checked_by_post_with_the_permission_to_add(client, reader):
    assert client.get(CHECK).status_code == 405
    assert reader.post(CHECK, {"numbers": MANY}).status_code == 403
    stranger = Client()
    assert stranger.post(CHECK, {"numbers": MANY}).status_code == 302
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(User.objects.get(username="anna"))
    assert guarded.post(CHECK, {"numbers": MANY}).status_code == 403


# Send now


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_send_now_sends_as_many_messages_as_one_post_holds(client, sandbox, settings):
    settings.MOBILON_SMS_BATCH_SIZE = 2
    numbers = "\n".join(f"8913529292{number}" for number in range(3))
    response = form(client, numbers=numbers, _send_now="yes")
    assert notices(response) == [
        "3 messages were created.",
        "The gateway accepted 2 messages.",
        "1 message stays in the queue for the worker: one click sends one request.",
    ]
    assert response.redirect_chain == [(LIST, 302)]
    assert sorted(statuses()) == ["accepted", "accepted", "pending"]
    assert [len(post.objects) for post in sandbox.posts] == [2]


@pytest.mark.django_db(transaction=True)
def test_send_now_leads_to_the_page_of_a_single_message(client, sandbox):
    response = form(client, _send_now="yes")
    assert response.redirect_chain == [(page(SmsMessage.objects.get()), 302)]
    assert notices(response) == ["The message was created.", "The gateway accepted 1 message."]


@pytest.mark.django_db(transaction=True)
def test_send_now_of_a_form_sent_twice_sends_once(client, sandbox):
    submission_id = str(uuid4())
    form(client, submission_id=submission_id, _send_now="yes")
    response = form(client, submission_id=submission_id, _send_now="yes")
    assert notices(response) == [
        "This form was already submitted. Its message was not created again."
    ]
    assert len(sandbox.posts) == 1


def test_send_now_needs_its_permission(client, sandbox):
    writer = person("add_smsmessage", name="writer")
    assert b"_send_now" in client.get(ADD).content
    assert b"_send_now" not in writer.get(ADD).content
    assert form(writer, _send_now="yes").status_code == 403
    assert (SmsMessage.objects.count(), sandbox.posts) == (0, [])


def test_send_now_with_a_time_is_an_error(client, sandbox):
    response = form(client, _send_now="yes", send_at_0="2030-01-02", send_at_1="03:04:05")
    assert response.context["adminform"].form.errors == {
        "send_at": ["To send now, leave this empty. To send later, choose “Send”."]
    }
    assert (SmsMessage.objects.count(), sandbox.posts) == (0, [])


def test_popup_for_another_field_writes_nothing(client):
    for name in ("nope", "text", "number"):
        assert form(client, _popup="1", _to_field=name).status_code == 400
    assert not SmsMessage.objects.exists()


def test_popup_closes_after_writing(client):
    assert b"_send_now" not in client.get(ADD, {"_popup": "1"}).content
    response = form(client, _popup="1")
    assert response.templates[0].name == "admin/popup_response.html"
    assert str(SmsMessage.objects.get().pk) in response.context["popup_response_data"]


@pytest.mark.databases
def test_form_of_another_cannot_be_tried_with_guesses():
    """A submission of somebody else is refused alike, whether its text is guessed or not."""
    submission_id = str(uuid4())
    form(person("add_smsmessage", "view_smsmessage", name="boris"), submission_id=submission_id)
    anna = person("add_smsmessage", "view_smsmessage")
    pages = [
        text_of(form(anna, submission_id=submission_id, text=text))
        for text in ("Ваш заказ готов", "Другой текст")
    ]
    assert ["This form was already submitted with other values" in page for page in pages] == [
        True,
        True,
    ]
    assert SmsMessage.objects.count() == 1


def test_duplicate_of_another_is_named_only_to_those_who_see_texts(settings):
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 60
    form(person("add_smsmessage", "view_smsmessage", name="boris"))
    sees = person("add_smsmessage", "view_smsmessage", "view_smsmessage_text", name="olga")
    assert "was sent the same text a short while ago" in text_of(form(sees))
    assert SmsMessage.objects.count() == 1
    form(person("add_smsmessage", "view_smsmessage"))
    assert SmsMessage.objects.count() == 2


def test_time_in_the_past_is_refused_at_its_field(client):
    response = form(client, send_at_0="2026-01-05", send_at_1="10:00")
    assert response.context["adminform"].form.errors == {
        "send_at": ["This time has passed. Give a later one, or none to send immediately."]
    }
    assert SmsMessage.objects.count() == 0
