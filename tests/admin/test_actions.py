"""Refresh and cancel, and what all actions have in common, through the admin's door."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import SmsBatch, SmsMessage
from tests.support.admin_door import (
    EVERYTHING,
    LIST,
    accepted,
    act,
    become,
    decide,
    history,
    notices,
    page,
    person,
    statuses,
    text_of,
    unknown,
)
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

SKIPPED = "1 message was skipped: its status has changed, or does not allow it."


def test_cancel_cancels_what_is_pending_and_counts_the_rest(client, atomic_requests):
    first, second, third = messages = write(3)
    become([second], status=Status.FAILED)
    assert act(client, "cancel", messages) == ["2 messages were cancelled.", SKIPPED]
    assert statuses() == ["cancelled", "failed", "cancelled"]
    assert sorted(history()) == sorted(("anna", str(m), "Cancelled it.") for m in (first, third))


def test_cancelled_resend_is_unknown_again(client):
    messages = unknown()
    decide(client, "resend", messages)
    assert act(client, "cancel", messages) == ["1 message was cancelled."]
    assert statuses() == ["unknown"]


def test_cancel_takes_all_pages_when_all_are_chosen(client, monkeypatch):
    from django_mobilon_sms.admin.actions import catalogue

    monkeypatch.setattr(catalogue, "CHUNK", 50)
    messages = write(120)
    question = choose(client, "cancel", messages[:1], select_across=1)
    assert "Cancel 120 pending messages" in text_of(question)
    assert statuses() == ["pending"] * 120
    write()  # written since: nobody has seen it
    assert confirm(client, question) == ["120 messages were cancelled."]
    assert statuses() == [*["cancelled"] * 120, "pending"]
    assert LogEntry.objects.count() == 120


def choose(client, action, messages, **fields):
    chosen = {"action": action, "_selected_action": [m.pk for m in messages], "index": 0}
    return client.post(LIST, chosen | fields)


def confirm(client, question):
    data = {}
    for name, value in question.context["fields"]:
        data.setdefault(name, []).append(value)
    return notices(client.post(LIST, data, follow=True))


@pytest.mark.parametrize(
    ("count", "across", "asks"), [(20, {}, False), (21, {}, True), (1, {"select_across": 1}, True)]
)
def test_cancel_of_many_or_of_all_that_match_asks_first(client, count, across, asks):
    messages = write(count)
    answer = choose(client, "cancel", messages, **across)
    assert statuses() == ["pending" if asks else "cancelled"] * count
    if asks:
        assert f"Messages {count}" in text_of(answer)
        confirm(client, answer)
        assert statuses() == ["cancelled"] * count


@pytest.mark.parametrize("newest", ["x", "-1", "9" * 30, "\0"])
def test_cancel_up_to_no_message_is_a_bad_request(client, newest):
    assert choose(client, "cancel", write(), newest=newest).status_code == 400
    assert statuses() == ["pending"]


def test_only_messages_really_changed_are_recorded(client):
    from django_mobilon_sms.admin.actions import catalogue

    first, second, third = messages = write(3)
    SmsMessage.objects.filter(pk=second.pk).cancel()  # somebody was faster
    user = client.get(LIST).wsgi_request.user
    assert catalogue.apply(catalogue.CANCEL, [m.pk for m in messages], by=user) == 2
    assert sorted(history()) == sorted(("anna", str(m), "Cancelled it.") for m in (first, third))


def test_refresh_lets_the_next_run_ask(client):
    [message], [pending] = accepted(), write()
    assert act(client, "refresh", [message, pending]) == [
        "The gateway will be asked about 1 message soon.",
        SKIPPED,
    ]
    assert list(SmsMessage.objects.filter(batch__in=SmsBatch.objects.checkable())) == [message]


# The page of a message


def test_page_offers_only_what_is_possible_now(client):
    [pending] = write()
    [doubtful] = unknown()
    [failed] = become(write(), status=Status.FAILED)
    [taken] = accepted()
    offered = {
        message.pk: [action.name for action in client.get(page(message)).context["actions"]]
        for message in (pending, doubtful, failed, taken)
    }
    assert offered == {
        pending.pk: ["send_now", "cancel"],
        doubtful.pk: ["decide"],
        failed.pk: ["copy"],
        taken.pk: ["refresh"],
    }


def test_action_from_the_page_leads_back_to_it(sandbox, client):
    [message] = write()
    data = {"action": "send_now", "_selected_action": message.pk, "from_page": "yes"}
    response = client.post(LIST, data, follow=True)
    assert response.redirect_chain == [(page(message), 302)]
    assert notices(response) == ["The gateway accepted 1 message."]
    assert sandbox.copies(message.guid) == 1


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
    assert notices(client.post(LIST, data, follow=True)) == []


ACTIONS = ("send_now", "refresh", "cancel", "copy", "decide")


@pytest.mark.parametrize("action", ACTIONS)
def test_action_needs_its_permission_and_a_post(sandbox, action):
    messages = [*write(), *unknown(), *accepted(), *become(write(), status=Status.FAILED)]
    before = list(SmsMessage.objects.order_by("pk").values())
    reader = person("view_smsmessage", "view_smsmessage_text", "add_smsmessage")
    boss = person(*EVERYTHING, name="boss")
    assert act(reader, action, messages) in (["No action selected."], [])
    for client in (reader, boss):
        data = {"action": action, "_selected_action": [m.pk for m in messages]}
        client.get(LIST, data | {"pks": messages[0].pk, "newest": messages[0].pk})
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
