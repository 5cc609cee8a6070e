"""The timeline of a message, on its page."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from django.contrib.admin.models import LogEntry

from django_mobilon_sms.admin.messages import timeline
from django_mobilon_sms.choices import ErrorCode, Outcome, Resolution, Status
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.outbox import stop, take_off
from tests.support.admin_door import (
    JOURNAL,
    LIST,
    act,
    change,
    decide,
    page,
    person,
    unknown,
)
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

HOUR = timedelta(hours=1)
LATER = datetime(2100, 1, 1, tzinfo=timezone.utc)


def shown_steps(client, message):
    """Each step of the page: what, details, who, and whether it is ahead."""
    steps = client.get(page(message)).context["timeline"]
    return [(str(s.what), str(s.details), str(s.who), s.ahead) for s in steps]


def test_timeline_of_a_sent_message(sandbox, client, worker):
    [message] = write(created_by=client.get(LIST).wsgi_request.user)
    worker("--no-refresh")
    SmsMessage.objects.all().check_soon()
    worker("--refresh-only")
    [batch] = SmsBatch.objects.all()
    steps = shown_steps(client, message)
    assert steps[:4] == [
        ("Written", "", "anna", False),
        ("Taken into a batch", "", batch.worker, False),
        ("The request ended: answered", "", "", False),
        ("The gateway accepted it", "", "", False),
    ]
    assert steps[4:] == [("Sent, as the gateway reports", "code 1", "", False)]
    link = f'<a href="{JOURNAL}{batch.pk}/change/">{batch.pk}</a>'
    assert link in client.get(page(message)).content.decode()


def test_timeline_shows_the_events_where_they_are_kept(sandbox, client, worker, settings):
    settings.MOBILON_SMS_EVENTS = "30d"
    [message] = write(created_by=client.get(LIST).wsgi_request.user)
    SmsMessage.objects.filter(pk=message.pk).cancel()
    [other] = write()
    worker("--no-refresh")
    assert [(what, who) for what, _, who, _ in shown_steps(client, message)] == [
        ("Written", "anna"),
        ("pending → cancelled", ""),
    ]
    [batch] = SmsBatch.objects.all()
    assert [step[:3] for step in shown_steps(client, other)[:5]] == [
        ("Written", "", ""),
        ("Taken into a batch", "", batch.worker),
        ("pending → sending", "", ""),
        ("The request ended: answered", "", ""),
        ("sending → accepted", "", ""),
    ]


def test_timeline_of_an_event_names_its_reason(client, settings):
    settings.MOBILON_SMS_EVENTS = "30d"
    [message] = write()
    stop([message.number])
    stopped = "The number is on the stop list."
    assert ("pending → cancelled", stopped, "", False) in shown_steps(client, message)
    SmsMessage.objects.filter(pk=write(number="+79029801212")[0].pk).hold(ErrorCode.TIMEOUT)
    held = SmsMessage.objects.get(status="unknown")
    reason = "The gateway did not answer in time."
    assert ("pending → unknown", reason, "", False) in shown_steps(client, held)


def test_batch_is_no_link_for_those_who_may_not_see_it(client):
    [message] = unknown()
    reader = person("view_smsmessage", name="reader")
    assert (
        JOURNAL not in reader.get(page(message)).content.decode().split("mobilon-sms-timeline")[1]
    )


def test_timeline_of_an_unknown_message_shows_who_decided(client):
    [message] = unknown()
    decide(client, "resend", [message])
    assert shown_steps(client, message)[-3:] == [
        ("The request ended: no proof", "The gateway did not answer in time.", "", False),
        ("Queued to be sent again, although it may have gone out.", "", "anna", False),
        ("In the queue since then", "", "", True),
    ]


def test_first_batch_and_its_outcome_stay_visible_after_a_resend(sandbox, client, worker):
    sandbox.fault("reset_after_read", times=1)
    [message] = write()
    worker("--no-refresh")
    [first] = SmsBatch.objects.all()
    GatewayState.objects.try_now()
    decide(client, "resend", [message])
    worker("--no-refresh")
    steps = client.get(page(message)).context["timeline"]
    second = SmsBatch.objects.exclude(pk=first.pk).get()
    assert [(str(s.what), s.batch) for s in steps if not s.ahead] == [
        ("Written", None),
        ("Taken into a batch", first),
        ("The request ended: no proof", None),
        ("Queued to be sent again, although it may have gone out.", None),
        ("Taken into a batch", second),
        ("The request ended: answered", None),
        ("The gateway accepted it", None),
    ]
    past = page(message).replace("/change/", "/history/")
    assert str(first.pk) not in client.get(past).content.decode()


@pytest.mark.parametrize("resends", [0, 1])
def test_end_by_the_stop_list_is_shown(client, resends):
    [message] = write()
    change(message, resends=resends)
    stop([message.number], by=client.get(LIST).wsgi_request.user)
    stopped = ("Not sent: its number was added to the stop list", "", "anna", False)
    assert shown_steps(client, message)[1:] == [stopped]
    take_off([message.number])
    assert shown_steps(client, message)[1:] == []


def test_decision_made_elsewhere_than_in_the_admin_is_shown_once(client):
    [message] = unknown()
    user = client.get(LIST).wsgi_request.user
    SmsMessage.objects.all().resolve(Resolution.GIVEN_UP, by=user)
    assert shown_steps(client, message)[-1] == ("Decision", "given up", "anna", False)


def test_what_is_to_happen_comes_last(client):
    [message] = write(send_at=LATER, expires_at=LATER + HOUR)
    assert shown_steps(client, message)[1:] == [
        ("To be sent", "", "", True),
        ("Expires if it has not gone out", "", "", True),
    ]
    change(message, attempts=1)
    assert shown_steps(client, message)[1][0] == "Next attempt"
    act(client, "cancel", [message])
    assert shown_steps(client, message)[1:] == [("Cancelled it.", "", "anna", False)]


def test_accepted_message_shows_its_next_status_request(client):
    [message] = write()
    batch = SmsBatch.objects.create(
        worker="a:1", lease_until=db_now(), outcome=Outcome.REFUSED, closed_at=db_now(),
        error_code=ErrorCode.PAYMENT, http_code=402, next_check_at=db_now() + HOUR,
    )  # fmt: skip
    given = {"gateway_id": "a1", "accepted_at": db_now(), "gateway_status": 7}
    change(message, status=Status.ACCEPTED, batch=batch, **given)
    steps = shown_steps(client, message)
    ended = ("The request ended: refused", "The gateway asks for payment. HTTP 402", "", False)
    assert ended in steps
    assert ("The gateway accepted it", "code 7", "", False) in steps
    assert steps[-1] == ("Next status request", "", "", True)


def test_expired_message_says_when(client):
    [message] = write(expires_at=LATER)
    change(message, status=Status.EXPIRED)
    assert shown_steps(client, message)[-1] == ("Expired before it was sent", "", "", False)


def test_only_the_latest_entries_of_the_log_are_read(client, monkeypatch):
    first, second = write(2)
    act(client, "cancel", [first])
    act(client, "cancel", [second])
    assert LogEntry.objects.count() == 2
    assert shown_steps(client, first)[-1][0] == "Cancelled it."
    monkeypatch.setattr(timeline, "MAX_LOG_ENTRIES", 1)
    assert [step[0] for step in shown_steps(client, first)] == ["Written"]
    assert shown_steps(client, second)[-1][0] == "Cancelled it."
