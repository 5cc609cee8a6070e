"""The actions of the admin, through its door."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection

from django_mobilon_sms.choices import ErrorCode, Outcome, Resolution, Status
from django_mobilon_sms.clock import db_now
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage

from .admin_door import EVERYTHING, LIST, act, confirm, page, person, text_of, told
from .conftest import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

HOUR = timedelta(hours=1)
SKIPPED = "1 message was skipped: its state has changed, or does not allow it."


@pytest.fixture
def client():
    return person(*EVERYTHING)


@pytest.fixture(params=[False, True], ids=["", "ATOMIC_REQUESTS"])
def atomic_requests(request):
    connection.settings_dict["ATOMIC_REQUESTS"] = request.param
    yield request.param
    connection.settings_dict["ATOMIC_REQUESTS"] = False


def become(messages, **values):
    """Put messages where a run would have brought them."""
    batch = SmsBatch.objects.create(
        worker="elsewhere:1", lease_until=db_now() + HOUR, outcome=Outcome.NO_PROOF,
        closed_at=db_now(), applied_at=db_now(), error_code=ErrorCode.TIMEOUT,
    )  # fmt: skip
    SmsMessage.objects.filter(pk__in=[m.pk for m in messages]).change(batch=batch, **values)
    return messages


def unknown(count=1):
    return become(write(count), status=Status.UNKNOWN, error_code=ErrorCode.TIMEOUT)


def accepted(count=1, **values):
    given = {"status": Status.ACCEPTED, "gateway_id": "a1", "accepted_at": db_now()}
    return become(write(count), **given, next_check_at=db_now() + HOUR, **values)


def statuses():
    return list(SmsMessage.objects.order_by("pk").values_list("status", flat=True))


def history():
    """Who did what with what, oldest first."""
    return [
        (entry.user.username, entry.object_repr, entry.change_message)
        for entry in LogEntry.objects.select_related("user").order_by("pk")
    ]


# Send now


def test_send_now_sends_in_one_post_outside_of_any_transaction(sandbox, client, atomic_requests):
    messages, seen = write(2), []

    def look(exchange):
        # Another connection sees the claim only if it was committed.
        seen.append(list(SmsMessage.objects.values_list("status", flat=True)))
        connection.close()

    sandbox.on_request = look
    assert act(client, "send_now", messages) == ["The gateway accepted 2 messages."]
    assert statuses() == ["accepted", "accepted"]
    assert len(sandbox.posts) == 1
    assert seen == [["sending", "sending"]]
    assert sorted(history()) == sorted(
        ("anna", str(message), "Asked to send it now.") for message in messages
    )


def test_send_now_leaves_to_the_worker_what_does_not_fit_into_one_post(sandbox, client, settings):
    settings.MOBILON_SMS_BATCH_SIZE = 2
    assert act(client, "send_now", write(5)) == [
        "The gateway accepted 2 messages.",
        "3 messages are left to the worker: one request at a time is sent from here.",
    ]
    assert len(sandbox.posts) == 1
    assert statuses().count("pending") == 3


def test_send_now_sends_what_had_trouble_before_alone(sandbox, client):
    messages = write(3)
    SmsMessage.objects.filter(pk=messages[0].pk).change(resends=1)
    act(client, "send_now", messages)
    assert statuses() == ["pending", "accepted", "accepted"]
    act(client, "send_now", messages)
    assert [len(post.objects) for post in sandbox.posts] == [2, 1]


def test_send_now_skips_what_is_not_pending(sandbox, client):
    [message] = write()
    act(client, "send_now", [message])
    assert act(client, "send_now", [message]) == [SKIPPED]
    assert sandbox.copies(message.guid) == 1


def test_send_now_sends_before_the_time_but_not_after_the_expiry(sandbox, client):
    later, expired = write(2)
    SmsMessage.objects.filter(pk=later.pk).change(send_at=db_now() + HOUR, due_at=db_now() + HOUR)
    SmsMessage.objects.filter(pk=expired.pk).change(
        send_at=db_now() - 2 * HOUR, expires_at=db_now() - HOUR
    )
    assert act(client, "send_now", [later, expired]) == [
        "The gateway accepted 1 message.",
        SKIPPED,
    ]
    assert statuses() == ["accepted", "pending"]


@pytest.mark.parametrize(
    ("fault", "line", "status"),
    [
        (
            "reset_after_read",
            "1 message may have gone out, and nobody can prove it: it waits for a decision.",
            "unknown",
        ),
        (
            "http_401",
            "1 message did not go out because of trouble with the gateway. The worker will try"
            " again.",
            "pending",
        ),
        ("rejected", "1 message failed.", "failed"),
    ],
)
def test_send_now_tells_what_happened(sandbox, client, settings, fault, line, status):
    settings.MOBILON_SMS_SEND_REPLIES = {0: "accepted", 5: "failed"}
    options = {"http_401": ("http", {"code": 401}), "rejected": ("status", {"value": 5})}
    name, given = options.get(fault, (fault, {}))
    sandbox.fault(name, **given)
    assert act(client, "send_now", write()) == [line]
    assert statuses() == [status]


def test_send_now_says_that_sending_is_paused_off_or_blocked(sandbox, client, settings):
    messages = write()
    GatewayState.objects.pause(by=None)
    paused = act(client, "send_now", messages)
    GatewayState.objects.resume()
    GatewayState.objects.update(blocked_until=db_now() + HOUR)
    [blocked] = act(client, "send_now", messages)
    settings.MOBILON_SMS_ENABLED = False
    assert paused == ["Nothing was sent: sending is paused. Resume it, and send again."]
    assert blocked.startswith("Nothing was sent: after trouble with the gateway it waits until ")
    assert act(client, "send_now", messages) == [
        "Nothing was sent: sending is switched off (MOBILON_SMS_ENABLED)."
    ]
    assert sandbox.exchanges == []
    assert statuses() == ["pending"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("BATCH_SIZE", 500), ("BASE_URL", "ftp://x/"), ("BACKEND", "no.such.Gateway")],
)
def test_send_now_with_a_wrong_setting_is_told_without_the_setting(client, settings, name, value):
    setattr(settings, f"MOBILON_SMS_{name}", value)
    assert act(client, "send_now", write()) == [
        "Nothing was sent: a setting is wrong. “manage.py check” tells which."
    ]
    assert statuses() == ["pending"]


# One conditional update


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


# Copy


def test_copy_writes_new_messages_of_those_that_ended_badly(client, atomic_requests):
    failed, pending = write(2, tag="order 7", priority=9)
    become([failed], status=Status.FAILED, error_code=ErrorCode.REJECTED)
    assert act(client, "copy", [failed, pending]) == [
        "1 message was copied. The copy waits for the worker.",
        SKIPPED,
    ]
    copy = SmsMessage.objects.latest("pk")
    kept = [(m.number, m.text, m.source, m.priority, m.tag) for m in (failed, copy)]
    assert kept[0] == kept[1]
    assert (copy.status, copy.guid == failed.guid) == ("pending", False)
    assert copy.created_by.username == "anna"
    assert history() == [("anna", str(failed), "Copied it into a new message.")]


def test_copy_clicked_twice_writes_one_copy_and_asked_anew_another(client):
    failed = become(write(), status=Status.FAILED)
    once = uuid4()
    act(client, "copy", failed, once=once)
    assert act(client, "copy", failed, once=once) == [SKIPPED]
    assert SmsMessage.objects.count() == 2
    act(client, "copy", failed, once=uuid4())
    assert SmsMessage.objects.count() == 3


@pytest.mark.parametrize(("once", "count"), [("", 2), ("garbage", 1), ("\0", 1)])
def test_copy_with_a_wrong_token_does_nothing_and_without_one_copies(client, once, count):
    assert len(act(client, "copy", become(write(), status=Status.FAILED), once=once)) == 1
    assert SmsMessage.objects.count() == count


def test_copy_of_what_the_rules_no_longer_allow_is_told(client, settings):
    failed = become(write(), status=Status.FAILED)
    settings.MOBILON_SMS_NUMBER_PATTERN = r"\+1\d{10}"
    assert act(client, "copy", failed) == [
        "1 message can not be copied: its number, sender or text is no longer allowed."
    ]
    assert SmsMessage.objects.count() == 1


def test_copy_takes_no_more_than_a_person_can_answer_for(client, monkeypatch):
    from django_mobilon_sms.admin import actions, verbs

    monkeypatch.setattr(actions, "MOST", 3)
    monkeypatch.setattr(verbs, "CHUNK", 2)
    assert act(client, "copy", become(write(5), status=Status.FAILED)) == [
        "3 messages were copied. The copies wait for the worker.",
        "2 more are left for the next time.",
    ]
    assert SmsMessage.objects.count() == 8


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


def test_second_click_on_resend_is_skipped(client, atomic_requests):
    messages = unknown()
    confirm(client, "resend", messages)
    assert confirm(client, "resend", messages) == [SKIPPED]
    assert [m.resends for m in SmsMessage.objects.all()] == [1]
    assert len(history()) == 1


def test_resend_waits_for_a_post_that_may_be_under_way(client):
    messages = unknown()
    SmsBatch.objects.update(outcome="", closed_at=None)
    assert confirm(client, "resend", messages) == [SKIPPED]
    assert act(client, "resend", messages) == [SKIPPED]
    assert statuses() == ["unknown"]


@pytest.mark.parametrize(
    ("action", "resolution", "line"),
    [
        ("resolve_sent", Resolution.SENT, "1 message counts as sent."),
        ("give_up", Resolution.GIVEN_UP, "1 message was given up."),
    ],
)
def test_decision_is_kept_with_who_and_when(client, action, resolution, line):
    messages = unknown()
    assert confirm(client, action, messages) == [line]
    message = SmsMessage.objects.get()
    assert (message.status, message.resolution) == ("unknown", resolution)
    assert message.resolved_by.username == "anna"
    assert message.resolved_at is not None
    assert confirm(client, "resend", messages) == [SKIPPED]


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
