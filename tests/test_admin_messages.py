"""The list of messages, the form to write one, the page to read one: through the admin's door."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client

from django_mobilon_sms.choices import ErrorCode, Outcome, Resolution, Status
from django_mobilon_sms.clock import db_now
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage
from django_mobilon_sms.outbox import send_sms

from .admin_door import ADD, EVERYTHING, LIST, act, page, person, text_of, told
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


def change(message, **values):
    assert SmsMessage.objects.filter(pk=message.pk).change(**values) == 1
    return message


def found(client, **query):
    """The messages that the list shows for this address, newest first."""
    response = client.get(LIST, query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


# The list


def test_list_shows_status_number_text_parts_sender_and_times(client):
    write(text="Ваш заказ\n готов " + "и ждёт " * 20)
    html = client.get(LIST).content.decode()
    row = re.search(r"<tbody>.*?</tbody>", html, re.S)[0]
    assert '<span class="mobilon-sms-badge mobilon-sms-pending">pending</span>' in row
    assert "Ваш заказ готов и ждёт и ждёт" in row
    assert len(re.search(r'field-beginning">([^<]*)<', row)[1]) == 50
    for shown in (">+79135292926</a>", 'field-segments">3<', ">89234560000<"):
        assert shown in row


@pytest.mark.parametrize("word", [*Status.values, *Outcome.values, "none"])
def test_every_status_and_outcome_has_its_colour(word):
    css = Path(finders.find("mobilon_sms/admin.css")).read_text()
    assert word in ("pending", "expired", "cancelled") or f".mobilon-sms-{word}" in css


def test_text_is_hidden_from_those_who_may_not_see_it(reader):
    [message] = write(text="пароль 4711")
    for address in (LIST, page(message)):
        shown = text_of(reader.get(address))
        assert ("hidden" in shown, "4711" in shown) == (True, False)


@pytest.mark.parametrize(
    "query",
    [
        {"text__startswith": "п"},
        {"text__contains": "4711"},
        {"text": "пароль 4711"},
        {"created_by__password__startswith": "p"},
        {"status__exact": "\0"},
        {"decision": "\0"},
        {"_to_field": "text"},
    ],
)
def test_address_can_not_ask_what_the_filters_do_not(reader, query):
    write(text="пароль 4711")
    assert reader.get(LIST, query).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"priority__exact": "abc"},
        {"created_at__gte": "yesterday"},
    ],
)
def test_filter_that_makes_no_sense_leads_to_the_whole_list(client, query):
    response = client.get(LIST, query)
    assert (response.status_code, response["Location"]) == (302, f"{LIST}?e=1")


@pytest.mark.parametrize(
    "query",
    [
        {"status__exact": "no_such"},
        {"priority__exact": "9" * 30},
        {"decision": "x"},
        {"p": "9" * 30},
        {"p": "-3"},
        {"all": "", "e": "1"},
    ],
)
def test_filter_by_what_does_not_exist_is_no_error(client, query):
    write()
    assert client.get(LIST, query).status_code == 200


def test_filters_narrow_the_list(client):
    pending, decided, open_ = (*write(2), *write(priority=9))
    change(decided, status=Status.UNKNOWN, error_code=ErrorCode.HELD, resolution="given_up")
    change(open_, status=Status.UNKNOWN, error_code=ErrorCode.LOST)
    assert found(client, status__exact="pending") == [pending]
    assert found(client, priority__exact="9") == [open_]
    assert found(client, decision="none") == [open_]
    assert found(client, decision="given_up") == [decided]
    assert found(client, error_code__exact="held") == [decided]
    assert found(client, created_at__lt="2001-01-01 00:00:00+00:00") == []
    assert found(client) == [open_, decided, pending]


@pytest.mark.parametrize("order", ["3", "-2.1", "99", "x", "\0"])
def test_order_in_the_address_never_fails(client, order):
    write(2)
    assert len(found(client, o=order)) == 2


def test_list_counts_nothing_it_need_not_and_asks_the_same_for_more_rows(
    client, django_assert_max_num_queries
):
    write(30)
    client.get(LIST)
    with django_assert_max_num_queries(9):
        assert len(found(client)) == 30


@pytest.mark.parametrize(
    ("typed", "is_found"),
    [
        ("+79135292926", True),
        ("8 (913) 529-29-26", True),
        ("9135292926", True),
        ("  79135292926 ", True),
        ("8913", True),
        ("+7 (913) 52", True),
        ("913", True),
        ("79135", True),
        ("+7914", False),
        ("91", False),
        ("+7 913 529-29-27", False),
        ("a1b2c3", True),
        ("A1B2C", False),
        ("order 7", True),
        ("order", False),
        ("\0", False),
        ("8913\0", False),
        ("%", False),
        ("'; DROP TABLE x; --", False),
        ("9" * 500, False),
        ("", True),
        ("   ", True),
    ],
)
def test_search_by_number_tag_and_gateway_id(reader, typed, is_found):
    [message] = write(tag="order 7", text="Ваш заказ готов")
    change(message, gateway_id="a1b2c3")
    assert found(reader, q=typed) == ([message] if is_found else [])


def test_search_by_guid(reader):
    [message, _other] = write(2)
    for typed in (str(message.guid), message.guid.hex, f" {str(message.guid).upper()} "):
        assert found(reader, q=typed) == [message]
    assert found(reader, q=str(uuid4())) == []


def test_search_in_texts_is_for_those_who_may_see_them(client, reader):
    [message, _other] = [*write(text="Ваш заказ готов"), *write(text="Ваш код 4711")]
    assert found(client, q="готов заказ") == [message]
    assert found(client, q="готов код") == []
    assert found(reader, q="готов") == []
    assert "words of a text" in text_of(client.get(LIST))
    assert "words of a text" not in text_of(reader.get(LIST))


def test_undecided_messages_are_shown_with_the_way_to_them(client):
    assert "nobody can prove" not in text_of(client.get(LIST))
    for message in write(2):
        change(message, status=Status.UNKNOWN, error_code=ErrorCode.TIMEOUT)
    response = client.get(LIST)
    notice = "2 messages may have gone out, and nobody can prove it. Look and decide"
    assert notice in text_of(response)
    assert 'href="?decision=none"' in response.content.decode()
    SmsMessage.objects.all().resolve(Resolution.SENT, by=None)
    assert "nobody can prove" not in text_of(client.get(LIST))


def test_pages_hold_under_a_strict_content_security_policy(client):
    [message] = write(text=XSS)
    change(message, status=Status.UNKNOWN, error_code=ErrorCode.TIMEOUT)
    for address in (LIST, ADD, page(message)):
        html = client.get(address).content.decode()
        assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=", html) == []
        assert "mobilon_sms/admin.css" in html


# The page to read


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


# Deleting


def ended(count=1):
    return [change(message, status=Status.CANCELLED) for message in write(count)]


def test_ended_message_can_be_deleted_and_no_other(client):
    [gone], [alive] = ended(), write()
    response = client.post(f"{LIST}{gone.pk}/delete/", {"post": "yes"}, follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    assert client.post(f"{LIST}{alive.pk}/delete/", {"post": "yes"}).status_code == 403
    assert list(SmsMessage.objects.all()) == [alive]
    assert b"deletelink" not in client.get(page(alive)).content


def test_chosen_messages_are_deleted_after_a_question(client):
    messages = ended(2)
    data = {"action": "delete_selected", "_selected_action": [m.pk for m in messages]}
    assert "Are you sure" in text_of(client.post(LIST, data))
    assert SmsMessage.objects.count() == 2
    lines = told(client.post(LIST, data | {"post": "yes"}, follow=True))
    assert lines == ["Successfully deleted 2 messages."]
    assert SmsMessage.objects.count() == 0


def test_messages_that_live_stand_in_the_way_of_deleting(client):
    [gone], [alive] = ended(), write()
    data = {"action": "delete_selected", "_selected_action": [gone.pk, alive.pk], "post": "yes"}
    response = client.post(LIST, data)
    assert response.status_code == 200
    assert f"{alive}: only ended messages can be deleted." in text_of(response)
    assert SmsMessage.objects.count() == 2
    assert LogEntry.objects.count() == 0


def test_message_that_changed_while_it_was_deleted_stays(client, monkeypatch):
    from django_mobilon_sms.admin import deletion

    monkeypatch.setattr(deletion, "_has_ended", lambda message: True)
    [alive] = write()
    data = {"action": "delete_selected", "_selected_action": alive.pk, "post": "yes"}
    line = "Nothing was deleted: a message has changed meanwhile. Only ended ones can be deleted."
    assert told(client.post(LIST, data, follow=True)) == [line]
    assert told(client.post(f"{LIST}{alive.pk}/delete/", {"post": "yes"}, follow=True)) == [line]
    assert SmsMessage.objects.count() == 1
    assert LogEntry.objects.count() == 0


def test_deleting_needs_its_permission(reader):
    [gone] = ended()
    assert reader.post(f"{LIST}{gone.pk}/delete/", {"post": "yes"}).status_code == 403
    act(reader, "delete_selected", [gone], post="yes")
    assert SmsMessage.objects.count() == 1


# The gateway


def switch(client, name):
    return client.post(f"{LIST}gateway/{name}/", follow=True)


def test_sending_is_paused_and_resumed_with_a_word_in_the_history(client):
    assert "Sending is on. Pause sending" in text_of(client.get(LIST))
    response = switch(client, "pause")
    assert told(response) == ["Sending is paused. What is under way ends; nothing else goes out."]
    assert "by anna. Resume sending" in text_of(response)
    assert GatewayState.objects.get().paused_by.username == "anna"
    assert told(switch(client, "pause")) == ["Nothing was to be changed."]
    assert told(switch(client, "resume")) == ["Sending is resumed."]
    assert GatewayState.objects.get().paused_at is None
    assert [entry.user.username for entry in LogEntry.objects.all()] == ["anna", "anna"]


def test_gateway_is_tried_now(client):
    assert told(switch(client, "try-now")) == ["Nothing was to be changed."]
    GatewayState.objects.current()
    GatewayState.objects.update(blocked_until=db_now() + HOUR)
    shown = text_of(client.get(LIST))
    assert "After trouble with the gateway, sending waits until" in shown
    assert "Try now" in shown
    response = switch(client, "try-now")
    assert told(response) == ["The worker tries the gateway with one message at once."]
    assert "the next message goes alone, to try it. Pause sending" in text_of(response)


def test_list_says_that_sending_is_off(client, settings):
    settings.MOBILON_SMS_ENABLED = False
    assert "Sending is switched off in the settings (MOBILON_SMS_ENABLED)." in text_of(
        client.get(LIST)
    )


@pytest.mark.parametrize("name", ["pause", "resume", "try-now"])
def test_switch_needs_a_post_and_its_permission(client, reader, name):
    GatewayState.objects.current()
    GatewayState.objects.update(blocked_until=db_now() + HOUR)
    before = GatewayState.objects.values().get()
    address = f"{LIST}gateway/{name}/"
    assert client.get(address).status_code == 405
    assert reader.post(address).status_code == 403
    assert Client().post(address).status_code == 302
    assert b"gateway/" not in reader.get(LIST).content
    assert GatewayState.objects.values().get() == before


def test_switch_that_does_not_exist_is_not_found(client):
    assert client.post(f"{LIST}gateway/explode/").status_code == 404


def test_who_may_switch_but_not_see_is_led_to_the_start():
    sender = person("send_smsmessage", name="sender")
    assert switch(sender, "pause").redirect_chain == [("/admin/", 302)]
