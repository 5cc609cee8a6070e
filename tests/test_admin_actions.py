"""Refresh, cancel, resend and decide, through the admin's door."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection

from django_mobilon_sms.choices import Resolution, Status
from django_mobilon_sms.clock import db_now
from django_mobilon_sms.models import SmsBatch, SmsMessage

from .admin_door import (
    EVERYTHING,
    LIST,
    accepted,
    act,
    become,
    confirm,
    history,
    page,
    person,
    statuses,
    text_of,
    told,
    unknown,
)
from .conftest import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

SKIPPED = "1 message was skipped: its state has changed, or does not allow it."


@pytest.fixture
def client():
    return person(*EVERYTHING)


@pytest.fixture(params=[False, True], ids=["", "ATOMIC_REQUESTS"])
def atomic_requests(request):
    connection.settings_dict["ATOMIC_REQUESTS"] = request.param
    yield request.param
    connection.settings_dict["ATOMIC_REQUESTS"] = False


def test_cancel_cancels_what_is_pending_and_counts_the_rest(client, atomic_requests):
    first, second, third = messages = write(3)
    become([second], status=Status.FAILED)
    assert act(client, "cancel", messages) == ["2 messages were cancelled.", SKIPPED]
    assert statuses() == ["cancelled", "failed", "cancelled"]
    assert sorted(history()) == sorted(("anna", str(m), "Cancelled it.") for m in (first, third))


def test_cancelled_resend_is_unknown_again(client):
    messages = unknown()
    confirm(client, "resend", messages)
    assert act(client, "cancel", messages) == ["1 message was cancelled."]
    assert statuses() == ["unknown"]


def test_cancel_takes_all_pages_when_all_are_chosen(client, monkeypatch):
    from django_mobilon_sms.admin import verbs

    monkeypatch.setattr(verbs, "CHUNK", 50)
    messages = write(120)
    assert act(client, "cancel", messages[:1], select_across=1) == ["120 messages were cancelled."]
    assert statuses() == ["cancelled"] * 120
    assert LogEntry.objects.count() == 120


def test_only_messages_really_changed_are_recorded(client):
    from django_mobilon_sms.admin import verbs

    first, second, third = messages = write(3)
    SmsMessage.objects.filter(pk=second.pk).cancel()  # somebody was faster
    user = client.get(LIST).wsgi_request.user
    assert verbs.apply(verbs.CANCEL, [m.pk for m in messages], by=user) == 2
    assert sorted(history()) == sorted(("anna", str(m), "Cancelled it.") for m in (first, third))


def test_refresh_lets_the_next_run_ask(client):
    [message], [pending] = accepted(), write()
    assert act(client, "refresh", [message, pending]) == [
        "The gateway will be asked about 1 message soon.",
        SKIPPED,
    ]
    assert list(SmsMessage.objects.checkable()) == [message]


# Resend and resolve


@pytest.mark.parametrize(
    ("action", "question", "warning"),
    [
        ("resend", "Send 2 messages again?", "Whoever got a message will get it twice"),
        ("resolve_sent", "Decide that 2 messages were sent?", "Nothing is sent again."),
        ("give_up", "Give up 2 messages?", "Nothing is sent again."),
    ],
)
def test_decision_is_asked_for_first(client, action, question, warning):
    messages = [*unknown(2), *write(1)]
    data = {"action": action, "_selected_action": [m.pk for m in messages], "index": 0}
    response = client.post(LIST, data)
    shown = text_of(response)
    assert response.status_code == 200
    assert (question in shown, warning in shown, SKIPPED in shown) == (True, True, True)
    assert shown.count("+79135292926") == 2
    assert response.context["pks"] == [m.pk for m in reversed(messages[:2])]
    assert statuses() == ["unknown", "unknown", "pending"]
    assert history() == []


def test_resend_sends_again_under_the_same_guid_and_records_who(sandbox, client, worker):
    messages = unknown(2)
    assert confirm(client, "resend", messages) == ["2 messages will be sent again by the worker."]
    assert statuses() == ["pending", "pending"]
    assert [m.resolved_by.username for m in SmsMessage.objects.all()] == ["anna", "anna"]
    assert {entry[2] for entry in history()} == {"Resent it, although it may have gone out."}
    worker("--no-refresh")
    assert {sandbox.copies(m.guid) for m in messages} == {1}


DECISIONS = {
    "resend": "1 message will be sent again by the worker.",
    "resolve_sent": "1 message counts as sent.",
    "give_up": "1 message was given up.",
}


@pytest.mark.parametrize("action", DECISIONS)
def test_second_click_on_a_decision_is_skipped(client, atomic_requests, action):
    messages = unknown()
    assert confirm(client, action, messages) == [DECISIONS[action]]
    before = list(SmsMessage.objects.values())
    assert confirm(client, action, messages) == [SKIPPED]
    assert list(SmsMessage.objects.values()) == before
    assert len(history()) == 1


MEANWHILE = {
    "resent by another": lambda rows, ivan: rows.resend(by=ivan),
    "decided by another": lambda rows, ivan: rows.resolve(Resolution.GIVEN_UP, by=ivan),
    "accepted late": lambda rows, ivan: rows.change(
        status=Status.ACCEPTED, gateway_id="id", accepted_at=db_now()
    ),
}


@pytest.mark.parametrize("change", MEANWHILE.values(), ids=MEANWHILE)
@pytest.mark.parametrize("action", DECISIONS)
def test_decision_from_a_stale_page_skips_what_has_changed(client, action, change):
    changed, same = messages = unknown(2)
    data = {"action": action, "_selected_action": [m.pk for m in messages], "index": 0}
    asked = client.post(LIST, data).context["pks"]
    rows = SmsMessage.objects.filter(pk=changed.pk)
    assert change(rows, User.objects.create(username="ivan")) == 1
    before = rows.values().get()
    response = client.post(LIST, data | {"_selected_action": asked, "post": "yes"}, follow=True)
    assert told(response) == [DECISIONS[action], SKIPPED]
    assert rows.values().get() == before
    assert SmsMessage.objects.get(pk=same.pk).resolved_by.username == "anna"
    assert [(who, what) for who, what, _sentence in history()] == [("anna", str(same))]


def test_decision_from_a_stale_page_whose_messages_have_all_changed_does_nothing(client):
    messages = unknown()
    SmsMessage.objects.all().resolve(Resolution.SENT, by=None)
    assert confirm(client, "resend", messages) == [SKIPPED]
    assert statuses() == ["unknown"]
    assert history() == []


def test_resend_waits_for_a_post_that_may_be_under_way(client):
    messages = unknown()
    SmsBatch.objects.update(outcome="", closed_at=None)
    assert confirm(client, "resend", messages) == [SKIPPED]
    assert act(client, "resend", messages) == [SKIPPED]
    assert statuses() == ["unknown"]


@pytest.mark.parametrize(
    ("action", "sentence", "status", "resolution"),
    [
        ("resend", "Resent it, although it may have gone out.", "pending", ""),
        ("resolve_sent", "Decided that it was sent.", "unknown", Resolution.SENT),
        ("give_up", "Gave it up.", "unknown", Resolution.GIVEN_UP),
    ],
)
def test_decision_is_kept_with_who_and_when(client, action, sentence, status, resolution):
    [message] = messages = unknown()
    assert confirm(client, action, messages) == [DECISIONS[action]]
    now = SmsMessage.objects.filter(resolved_at__gt=message.created_at, resolved_at__lte=db_now())
    [row] = now
    assert (row.status, row.resolution, row.resolved_by.username) == (status, resolution, "anna")
    assert history() == [("anna", str(message), sentence)]


def test_message_that_was_given_up_is_not_resent(client):
    messages = unknown()
    confirm(client, "give_up", messages)
    assert confirm(client, "resend", messages) == [SKIPPED]
    assert statuses() == ["unknown"]


def test_decision_takes_no_more_than_was_asked_for(client, monkeypatch):
    from django_mobilon_sms.admin import actions

    monkeypatch.setattr(actions, "MOST", 2)
    messages = unknown(3)
    data = {"action": "give_up", "_selected_action": [m.pk for m in messages], "index": 0}
    response = client.post(LIST, data)
    assert "Give up 2 messages?" in text_of(response)
    assert "1 more is left for the next time." in text_of(response)
    assert len(response.context["pks"]) == 2


# The page of a message


def test_page_offers_only_what_is_possible_now(client):
    [pending] = write()
    [doubtful] = unknown()
    [failed] = become(write(), status=Status.FAILED)
    [taken] = accepted()
    offered = {
        message.pk: [verb.name for verb in client.get(page(message)).context["verbs"]]
        for message in (pending, doubtful, failed, taken)
    }
    assert offered == {
        pending.pk: ["send_now", "cancel"],
        doubtful.pk: ["resend", "resolve_sent", "give_up"],
        failed.pk: ["copy"],
        taken.pk: ["refresh"],
    }


def test_action_from_the_page_leads_back_to_it(sandbox, client):
    [message] = write()
    data = {"action": "send_now", "_selected_action": message.pk, "from_page": "yes"}
    response = client.post(LIST, data, follow=True)
    assert response.redirect_chain == [(page(message), 302)]
    assert told(response) == ["The gateway accepted 1 message."]
    assert sandbox.copies(message.guid) == 1


def test_decision_from_the_page_asks_and_leads_back_to_it(client):
    [message] = unknown()
    data = {"action": "resend", "_selected_action": message.pk, "from_page": "yes"}
    asked = client.post(LIST, data)
    assert 'name="from_page"' in asked.content.decode()
    response = client.post(LIST, data | {"post": "yes"}, follow=True)
    assert response.redirect_chain == [(page(message), 302)]
    assert statuses() == ["pending"]


# Garbage and strangers


@pytest.mark.parametrize("chosen", ["abc", "", "9" * 40, "-1", "1.5", "\0", "١"])
def test_wrong_choice_is_a_bad_request(client, chosen):
    write()
    data = {"action": "cancel", "_selected_action": chosen, "index": 0}
    assert client.post(LIST, data).status_code == 400
    assert statuses() == ["pending"]


@pytest.mark.parametrize("action", ["no_such", "delete_view", "switch_view", ""])
def test_action_that_is_none_does_nothing(client, action):
    assert act(client, action, write()) == ["No action selected."]
    assert statuses() == ["pending"]


def test_message_that_is_gone_is_skipped(client):
    data = {"action": "cancel", "_selected_action": 77, "index": 0}
    assert told(client.post(LIST, data, follow=True)) == []


ACTIONS = ("send_now", "refresh", "cancel", "copy", "resend", "resolve_sent", "give_up")


@pytest.mark.parametrize("action", ACTIONS)
def test_action_needs_its_permission_and_a_post(sandbox, action):
    messages = [*write(), *unknown(), *accepted(), *become(write(), status=Status.FAILED)]
    before = list(SmsMessage.objects.order_by("pk").values())
    reader = person("view_smsmessage", "view_smsmessage_text", "add_smsmessage")
    boss = person(*EVERYTHING, name="boss")
    assert confirm(reader, action, messages) == []
    assert act(reader, action, messages) in (["No action selected."], [])
    for client in (reader, boss):
        data = {"action": action, "_selected_action": [m.pk for m in messages], "post": "yes"}
        client.get(LIST, data)
    assert list(SmsMessage.objects.order_by("pk").values()) == before
    assert sandbox.exchanges == []
    assert history() == []


def test_stranger_is_led_to_the_login(db):
    from django.test import Client

    data = {"action": "cancel", "_selected_action": [m.pk for m in write()], "index": 0}
    response = Client().post(LIST, data)
    assert (response.status_code, response["Location"].split("?")[0]) == (302, "/admin/login/")
    assert statuses() == ["pending"]


def test_action_without_the_csrf_token_is_refused(client):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(client.get(LIST).wsgi_request.user)
    data = {"action": "cancel", "_selected_action": [m.pk for m in write()], "index": 0}
    assert strict.post(LIST, data).status_code == 403
    assert strict.post(f"{LIST}gateway/pause/").status_code == 403
    assert statuses() == ["pending"]
