"""The page to decide on, through the admin's door."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from django_mobilon_sms.choices import ErrorCode, Outcome, Resolution, Status
from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from django_mobilon_sms.outbox import stop
from tests.support.admin_door import (
    DECIDE,
    EVERYTHING,
    JOURNAL,
    LIST,
    act,
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
DECISIONS = {
    "resend": "1 message will be sent again by the worker.",
    "resolve_sent": "1 message counts as sent.",
    "give_up": "1 message was given up.",
}


def asked(client, messages, **fields):
    """What the page asks about these messages of the list."""
    data = {"action": "decide", "_selected_action": [m.pk for m in messages], "index": 0}
    return client.post(LIST, data | fields)


def who(message):
    """Who decided about it."""
    return (message.resent_by or message.resolved_by).username


def keys(response):
    return [int(pk) for pk in response.context["pks"].split(",")]


# The question


def test_page_says_what_happened_when_and_to_how_many_and_what_each_choice_means(client):
    messages = [*unknown(2), *write(1)]
    held = unknown(1)
    SmsMessage.objects.filter(pk=held[0].pk).change(error_code=ErrorCode.HELD)
    response = asked(client, [*messages, *held])
    shown = text_of(response)
    assert response.status_code == 200
    for words in (
        "Decide about 3 messages",
        "may have gone out, and nobody can prove it",
        "The gateway did not answer in time. 2",
        "Held back: another copy of it may have been sent. 1",
        "Whoever got it gets it twice, and it is paid twice.",
        "Nothing is sent again; who has not got it will not get it.",
        "Who decided and when is recorded.",
        SKIPPED,
    ):
        assert words in shown
    assert shown.count("+7 913 529-29-26") == 3
    assert keys(response) == [m.pk for m in reversed([*messages[:2], *held])]
    assert statuses() == ["unknown", "unknown", "pending", "unknown"]
    assert history() == []


def test_page_shows_when_it_happened_and_the_batches(client):
    messages = unknown(2)
    [batch] = SmsBatch.objects.all()
    response = asked(client, messages)
    [reason] = response.context["reasons"]
    assert (reason["first"], reason["last"], reason["count"]) == (
        batch.closed_at, batch.closed_at, 2,
    )  # fmt: skip
    assert f'<a href="{JOURNAL}{batch.pk}/change/">{batch.pk}</a> (2)' in response.content.decode()


def test_whole_batch_is_decided_about_from_its_page(client):
    others, messages = unknown(1), unknown(2)
    batch = SmsBatch.objects.get(messages=messages[0])
    way = f"{DECIDE}?batch={batch.pk}"
    assert f'href="{way}"' in client.get(f"{JOURNAL}{batch.pk}/change/").content.decode()
    response = client.get(way)
    assert keys(response) == [m.pk for m in reversed(messages)]
    back = response.context["back"]
    assert decide(client, "give_up", messages, back=back) == ["2 messages were given up."]
    assert SmsMessage.objects.get(pk=others[0].pk).resolution == ""
    gone = client.get(way, follow=True)
    assert gone.redirect_chain == [(f"{JOURNAL}{batch.pk}/change/", 302)]
    assert notices(gone) == ["None of these messages waits for a decision."]
    assert "decide/" not in client.get(f"{JOURNAL}{batch.pk}/change/").content.decode()


def test_all_that_wait_are_decided_about_at_once(client):
    messages = unknown(3)
    assert keys(client.get(DECIDE)) == [m.pk for m in reversed(messages)]
    assert asked(client, messages[:1], select_across=1).context["pks"].count(",") == 2
    assert decide(client, "resolve_sent", messages) == ["3 messages count as sent."]


def test_decision_takes_no_more_than_was_asked_for(client, monkeypatch):
    monkeypatch.setattr("django_mobilon_sms.admin.actions.decide.MAX_DECIDED", 2)
    messages = unknown(3)
    response = asked(client, messages)
    assert "Decide about 2 messages" in text_of(response)
    assert "1 more is left for the next time." in text_of(response)
    assert decide(client, "give_up", messages) == ["2 messages were given up."]


def test_page_names_some_and_counts_the_rest(client):
    response = asked(client, unknown(12))
    assert text_of(response).count("+7 913 529-29-26") == 10
    assert "and 2 others" in text_of(response)


def test_texts_are_hidden_from_those_who_may_not_see_them():
    [message] = unknown()
    SmsMessage.objects.filter(pk=message.pk).change(text="пароль Zq4711")
    sender = person("view_smsmessage", "send_smsmessage", name="sender")
    shown = text_of(asked(sender, [message]))
    assert ("hidden" in shown, "Zq4711" in shown) == (True, False)
    assert JOURNAL not in asked(sender, [message]).content.decode()


def test_page_is_in_russian(client):
    messages = unknown(2)
    shown = text_of(client.get(DECIDE, headers={"accept-language": "ru"}))
    assert "Решение о 2 сообщениях" in shown
    assert "Кто получил, получит дважды" in shown
    assert len(messages) == 2


# The decision


@pytest.mark.parametrize(
    ("choice", "sentence", "status", "resolution"),
    [
        ("resend", "Queued to be sent again, although it may have gone out.", "pending", ""),
        ("resolve_sent", "Marked as sent.", "unknown", Resolution.SENT),
        ("give_up", "Gave it up.", "unknown", Resolution.GIVEN_UP),
    ],
)
def test_decision_is_kept_with_who_and_when(client, choice, sentence, status, resolution):
    [message] = messages = unknown()
    assert decide(client, choice, messages) == [DECISIONS[choice]]
    done = "resent" if choice == "resend" else "resolved"
    when = {f"{done}_at__gt": message.created_at, f"{done}_at__lte": db_now()}
    [row] = SmsMessage.objects.filter(**when)
    assert (row.status, row.resolution, who(row)) == (status, resolution, "anna")
    assert history() == [("anna", str(message), sentence)]


def test_send_again_is_offered_and_done_only_with_its_permission():
    [message] = messages = unknown()
    sender = person("view_smsmessage", "send_smsmessage", name="sender")
    resender = person("view_smsmessage", "resend_smsmessage", name="resender")
    pages = [asked(client, messages).content.decode() for client in (sender, resender)]
    offered = [re.findall(r'name="choice" value="(\w+)"', page) for page in pages]
    assert offered == [["resolve_sent", "give_up"], ["resend"]]
    data = {"pks": message.pk}
    for client, refused in ((sender, "resend"), (resender, "give_up")):
        answer = client.post(DECIDE, data | {"choice": refused})
        assert "Choose what to do with them." in text_of(answer)
    assert (statuses(), history()) == (["unknown"], [])
    assert decide(resender, "resend", messages) == [DECISIONS["resend"]]


def test_resend_sends_again_under_the_same_guid(sandbox, client, worker):
    messages = unknown(2)
    assert decide(client, "resend", messages) == ["2 messages will be sent again by the worker."]
    worker("--no-refresh")
    assert {sandbox.copies(m.guid) for m in messages} == {1}


@pytest.mark.parametrize("choice", DECISIONS)
def test_second_click_on_a_decision_is_skipped(client, atomic_requests, choice):
    messages = unknown()
    assert decide(client, choice, messages) == [DECISIONS[choice]]
    before = list(SmsMessage.objects.values())
    assert decide(client, choice, messages) == [SKIPPED]
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
@pytest.mark.parametrize("choice", DECISIONS)
def test_decision_from_a_stale_page_skips_what_has_changed(client, choice, change):
    changed, same = messages = unknown(2)
    pks = asked(client, messages).context["pks"]
    rows = SmsMessage.objects.filter(pk=changed.pk)
    assert change(rows, User.objects.create(username="ivan")) == 1
    before = rows.values().get()
    response = client.post(DECIDE, {"choice": choice, "pks": pks}, follow=True)
    assert notices(response) == [DECISIONS[choice], SKIPPED]
    assert rows.values().get() == before
    assert who(SmsMessage.objects.get(pk=same.pk)) == "anna"
    assert [(who, what) for who, what, _sentence in history()] == [("anna", str(same))]


def test_decision_about_what_has_all_changed_does_nothing(client):
    messages = unknown()
    SmsMessage.objects.all().resolve(Resolution.SENT, by=None)
    assert decide(client, "resend", messages) == [SKIPPED]
    assert act(client, "decide", messages) == [SKIPPED]
    assert (statuses(), history()) == (["unknown"], [])


@pytest.mark.parametrize(
    ("fields", "now"),
    [
        ({"outcome": "", "closed_at": None}, "still runs"),
        ({"outcome": Outcome.LOST, "lease_until": db_now()}, "is just over"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_resend_waits_for_a_post_that_may_be_under_way(client, fields, now):
    messages = unknown()
    SmsBatch.objects.update(**fields)
    shown = text_of(asked(client, messages))
    assert "1 of them cannot be sent again yet: its request may still be under way." in shown
    assert decide(client, "resend", messages) == [SKIPPED]
    assert statuses() == ["unknown"]


@pytest.mark.parametrize("cause", ["number", "text"])
def test_page_says_that_some_can_never_be_sent_again(client, cause):
    messages = unknown(2)
    [first, _second] = SmsMessage.objects.order_by("pk")
    if cause == "number":
        SmsMessage.objects.filter(pk=first.pk).change(number="+79029801212")
        stop(["+79029801212"])
    else:
        SmsMessage.objects.filter(pk=first.pk).forget()
    shown = text_of(asked(client, messages))
    assert "1 of them cannot be sent again: its number is on the stop list" in shown
    assert "may still be under way" not in shown
    decide(client, "resend", messages)
    assert sorted(statuses()) == ["pending", "unknown"]


def test_message_that_was_given_up_is_not_resent(client):
    messages = unknown()
    decide(client, "give_up", messages)
    assert decide(client, "resend", messages) == [SKIPPED]
    assert statuses() == ["unknown"]


# Where it leads, and who may not


def test_decision_leads_back_to_where_the_person_was(client):
    [message] = messages = unknown()
    data = {"action": "decide", "_selected_action": message.pk, "from_page": "yes"}
    back = client.post(LIST, data).context["back"]
    data = {"choice": "resend", "pks": message.pk, "back": back}
    assert client.post(DECIDE, data, follow=True).redirect_chain == [(page(message), 302)]
    narrowed = f"{LIST}?status__exact=unknown"
    data = {"action": "decide", "_selected_action": [m.pk for m in messages]}
    SmsMessage.objects.all().change(status=Status.UNKNOWN)
    assert client.post(narrowed, data).context["back"] == narrowed


@pytest.mark.parametrize(
    "back", ["https://example.com/", "//example.com/", "/sms/", "javascript:alert(1)", "\0", ""]
)
def test_decision_leads_to_no_other_site(client, back):
    data = {"choice": "give_up", "pks": unknown()[0].pk, "back": back}
    assert client.post(DECIDE, data)["Location"] == LIST


@pytest.mark.parametrize("choice", ["", "no_such", "\0"])
def test_page_without_a_choice_asks_again(client, choice):
    [message] = unknown()
    response = client.post(DECIDE, {"choice": choice, "pks": message.pk})
    assert response.status_code == 200
    assert "Choose what to do with them." in text_of(response)
    assert keys(response) == [message.pk]
    assert statuses() == ["unknown"]


@pytest.mark.parametrize("pks", ["", "abc", "1,", ",1", "9" * 40, "-1", "1.5", "\0", "١"])
def test_keys_that_are_none_are_a_bad_request(client, pks):
    unknown()
    assert client.post(DECIDE, {"choice": "give_up", "pks": pks}).status_code == 400
    assert client.get(DECIDE, {"batch": pks}).status_code == 400
    assert history() == []


def test_decision_needs_its_permission_a_post_and_the_csrf_token():
    [message] = unknown()
    data = {"choice": "give_up", "pks": message.pk}
    reader = person("view_smsmessage", "view_smsmessage_text", "add_smsmessage", "view_smsbatch")
    boss = person(*EVERYTHING, name="boss")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(boss.get(LIST).wsgi_request.user)
    assert (reader.get(DECIDE).status_code, reader.post(DECIDE, data).status_code) == (403, 403)
    [batch] = SmsBatch.objects.all()
    assert "decide/" not in reader.get(f"{JOURNAL}{batch.pk}/change/").content.decode()
    assert boss.get(DECIDE, data).status_code == 200
    assert strict.post(DECIDE, data).status_code == 403
    assert Client().post(DECIDE, data)["Location"].startswith("/admin/login/")
    assert SmsMessage.objects.get().resolution == ""
    assert history() == []
