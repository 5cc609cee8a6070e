"""Deleting messages, through the admin's door."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import SmsMessage, db_now
from tests.support.admin_door import (
    LIST,
    accepted,
    act,
    become,
    change,
    notices,
    page,
    text_of,
    unknown,
)
from tests.support.messages import write

pytestmark = pytest.mark.django_db


def ended(count=1):
    return [change(message, status=Status.CANCELLED) for message in write(count)]


def test_ended_message_can_be_deleted(client):
    [gone], [alive] = ended(), write()
    response = client.post(f"{LIST}{gone.pk}/delete/", {"post": "yes"}, follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    assert list(SmsMessage.objects.all()) == [alive]


def test_chosen_messages_are_deleted_after_a_question(client):
    messages = ended(2)
    data = {"action": "delete_selected", "_selected_action": [m.pk for m in messages]}
    assert "Are you sure" in text_of(client.post(LIST, data))
    assert SmsMessage.objects.count() == 2
    lines = notices(client.post(LIST, data | {"post": "yes"}, follow=True))
    assert lines == ["Successfully deleted 2 messages."]
    assert SmsMessage.objects.count() == 0


#: Something may follow "sent", so that a sent message has not ended.
DELIVERED = {1: "sent", 2: "delivered"}
ALIVE = {
    "pending": write,
    "sending": lambda: become(write(), status=Status.SENDING),
    "unknown": unknown,
    "accepted": accepted,
    "sent": lambda: become(accepted(), status=Status.SENT, asked_at=db_now()),
}


@pytest.mark.parametrize("alive", ALIVE.values(), ids=ALIVE)
def test_messages_that_live_stand_in_the_way_of_deleting(client, settings, alive):
    settings.MOBILON_SMS_STATUS_REPLIES = DELIVERED
    [gone], [alive] = ended(), alive()
    data = {"action": "delete_selected", "_selected_action": [gone.pk, alive.pk]}
    for answer in ({}, {"post": "yes"}):
        response = client.post(LIST, data | answer)
        assert response.status_code == 200
        assert f"{alive}: only ended messages can be deleted." in text_of(response)
    assert SmsMessage.objects.count() == 2
    assert LogEntry.objects.count() == 0


@pytest.mark.parametrize("alive", ALIVE.values(), ids=ALIVE)
def test_page_of_a_message_that_lives_offers_and_does_no_deleting(client, settings, alive):
    settings.MOBILON_SMS_STATUS_REPLIES = DELIVERED
    [alive] = alive()
    assert b"deletelink" not in client.get(page(alive)).content
    for answer in ({}, {"post": "yes"}):
        lines = notices(client.post(f"{LIST}{alive.pk}/delete/", answer, follow=True))
        assert lines == [f"{alive}: only ended messages can be deleted."]
    assert SmsMessage.objects.get() == alive


def test_message_that_changed_while_it_was_deleted_stays(client, monkeypatch):
    from django_mobilon_sms.admin.messages import deletion

    monkeypatch.setattr(deletion, "_has_ended", lambda message: True)
    [alive] = write()
    data = {"action": "delete_selected", "_selected_action": alive.pk, "post": "yes"}
    line = "Nothing was deleted: a message has changed meanwhile. Only ended ones can be deleted."
    assert notices(client.post(LIST, data, follow=True)) == [line]
    assert notices(client.post(f"{LIST}{alive.pk}/delete/", {"post": "yes"}, follow=True)) == [line]
    assert SmsMessage.objects.count() == 1
    assert LogEntry.objects.count() == 0


def test_deleting_needs_its_permission(reader):
    [gone] = ended()
    assert reader.post(f"{LIST}{gone.pk}/delete/", {"post": "yes"}).status_code == 403
    act(reader, "delete_selected", [gone], post="yes")
    assert SmsMessage.objects.count() == 1
    [alive] = write()
    assert reader.post(f"{LIST}{alive.pk}/delete/", {"post": "yes"}).status_code == 403
