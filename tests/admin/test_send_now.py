"""Send now, through the admin's door."""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase

import pytest
from django.db import connection
from django.utils import timezone

from django_mobilon_sms.admin.actions import send_now as send_now_page
from django_mobilon_sms.models import GatewayState, SmsMessage, db_now
from django_mobilon_sms.outbox import database_time
from django_mobilon_sms.worker import send_now
from tests.support.admin_door import (
    act,
    history,
    statuses,
)
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

HOUR = timedelta(hours=1)
SKIPPED = "1 message was skipped: its status has changed, or does not allow it."


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
        ("anna", str(message), "Pressed “Send now”.") for message in messages
    )


def test_send_now_leaves_to_the_worker_what_does_not_fit_into_one_post(sandbox, client, settings):
    settings.MOBILON_SMS_BATCH_SIZE = 2
    assert act(client, "send_now", write(5)) == [
        "The gateway accepted 2 messages.",
        "3 messages stay in the queue for the worker: one click sends one request.",
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
def test_send_now_shows_the_result(sandbox, client, settings, fault, line, status):
    settings.MOBILON_SMS_SEND_REPLIES = {0: "accepted", 5: "failed"}
    options = {"http_401": ("http", {"code": 401}), "rejected": ("status", {"value": 5})}
    name, given = options.get(fault, (fault, {}))
    sandbox.fault(name, **given)
    assert act(client, "send_now", write()) == [line]
    assert statuses() == [status]


def paused(settings):
    GatewayState.objects.pause(by=None)


def blocked(settings):
    GatewayState.objects.current()
    GatewayState.objects.update(blocked_until=db_now() + HOUR)


def disabled(settings):
    settings.MOBILON_SMS_ENABLED = False


def quiet(settings):
    now = timezone.localtime(database_time())
    begins, ends = (now - HOUR).strftime("%H:%M"), (now + HOUR).strftime("%H:%M")
    settings.MOBILON_SMS_QUIET_HOURS = f"{begins}-{ends}"


def pace(settings):
    settings.MOBILON_SMS_RATE = "1/h"
    send_now([write()[0].pk])


HALTS = {
    paused: "Sending is paused. The message is queued and goes out when sending resumes.",
    blocked: "After trouble with the gateway, sending waits until * The message is queued and goes"
    " out when the gateway answers again.",
    disabled: "Sending is switched off in the settings (MOBILON_SMS_ENABLED). The message is queued"
    " and goes out when sending is switched on.",
    quiet: "These are quiet hours. The message is queued and goes out after *",
    pace: "The sending limit is reached. The message is queued and goes out after *",
}


@pytest.mark.parametrize("halt", HALTS)
def test_halted_message_is_said_to_go_out_without_another_click(sandbox, client, settings, halt):
    """A false "nothing was sent" makes people write it again, and the recipient gets it twice."""
    halt(settings)
    [message], posts = write(), len(sandbox.posts)
    [line] = act(client, "send_now", [message])
    assert fnmatchcase(line, HALTS[halt].replace("[", "[[]"))
    assert "None" not in line
    message.refresh_from_db()
    assert (message.status, len(sandbox.posts)) == ("pending", posts)


def test_every_halt_has_a_true_sentence():
    assert {halt.__name__ for halt in HALTS} == set(send_now_page.HALTED)


def test_halted_message_of_another_time_is_not_said_to_go_out_before_it(sandbox, client):
    GatewayState.objects.pause(by=None)
    later, due = write(send_at=database_time() + HOUR)[0], write()[0]
    assert act(client, "send_now", [later, due]) == [
        "Sending is paused. The messages are queued and go out when sending resumes.",
        "1 of them is scheduled, and does not go out before its own time.",
    ]


def test_message_that_the_worker_took_meanwhile_is_not_said_to_wait(sandbox, client, monkeypatch):
    messages = write(2)

    def faster(pks):
        send_now(pks[:1])
        return send_now(pks)

    monkeypatch.setattr(send_now_page, "send_now", faster)  # a worker between click and claim
    assert act(client, "send_now", messages) == [
        "The gateway accepted 1 message.",
        "1 message was taken by the worker meanwhile, or its status has changed. Look at it before"
        " you go on.",
    ]
    assert len(sandbox.posts) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("BATCH_SIZE", 500), ("BASE_URL", "ftp://x/"), ("BACKEND", "no.such.Gateway")],
)
def test_send_now_does_not_name_the_wrong_setting(client, settings, name, value):
    setattr(settings, f"MOBILON_SMS_{name}", value)
    assert act(client, "send_now", write()) == [
        "A setting is wrong, so nothing is sent. Run “manage.py check” to find it. The messages"
        " stay in the queue and go out when it is corrected."
    ]
    assert statuses() == ["pending"]
