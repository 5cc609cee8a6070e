"""Pause, resume and try now, through the admin's door."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError
from django.test import Client

from django_mobilon_sms.admin import database_busy
from django_mobilon_sms.choices import WorkerKind
from django_mobilon_sms.conf import show_moment
from django_mobilon_sms.models import GatewayState, Heartbeat, SmsMailing, db_now
from tests.support.admin_door import ADD, LIST, notices, person, text_of
from tests.support.messages import write

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MAILINGS = "/admin/mobilon_sms/smsmailing/"


def switch(client, name):
    return client.post(f"{LIST}gateway/{name}/", follow=True)


def test_sending_is_paused_and_resumed_with_a_word_in_the_history(client):
    assert "No message waits. No worker has run yet. Pause sending" in text_of(client.get(LIST))
    response = switch(client, "pause")
    assert notices(response) == [
        "Sending is paused. Requests under way finish; other messages stay in the queue."
    ]
    assert "by anna. Resume sending" in text_of(response)
    assert GatewayState.objects.get().paused_by.username == "anna"
    assert notices(switch(client, "pause")) == ["Nothing changed."]
    assert notices(switch(client, "resume")) == ["Sending is resumed."]
    assert GatewayState.objects.get().paused_at is None
    assert [entry.user.username for entry in LogEntry.objects.all()] == ["anna", "anna"]


def test_pause_is_seen_where_messages_are_written(client):
    """A page where somebody types has no switch: it would lose what is typed."""
    user = client.get(LIST).wsgi_request.user
    mailing = SmsMailing.objects.create(name="sale", text="x", created_by=user, written=0)
    SmsMailing.objects.confirm(by=user)
    GatewayState.objects.pause(by=user)
    switches = {ADD: 0, f"{MAILINGS}add/": 0, f"{MAILINGS}{mailing.pk}/change/": 1}
    for address, count in switches.items():
        shown = text_of(client.get(address))
        assert "Sending has been paused since" in shown
        assert shown.count("Resume sending") == count


def test_gateway_is_tried_now(client):
    assert notices(switch(client, "try-now")) == ["Nothing changed."]
    GatewayState.objects.current()
    GatewayState.objects.update(blocked_until=db_now() + HOUR)
    shown = text_of(client.get(LIST))
    until = show_moment(GatewayState.objects.get().blocked_until)
    assert f"There was trouble with the gateway. Next try: {until}. " in shown
    assert "Try now" in shown
    response = switch(client, "try-now")
    assert notices(response) == ["The worker tests the gateway now, with one message."]
    assert "The next message goes alone, to test the gateway. Pause sending" in text_of(response)


def test_waiting_messages_are_one_press_away_when_nobody_sends(client, reader):
    write(2)
    html = client.get("/admin/").content.decode()
    assert "Ask the administrator to start the worker." in html
    [address] = re.findall(r'href="([^"]*)">Show the waiting messages', html)
    assert "2 messages" in text_of(client.get(address))
    assert "Show the waiting messages" in text_of(reader.get(LIST))
    assert "Show the waiting messages" not in text_of(client.get(ADD))  # it would lose a text
    Heartbeat.objects.beat(WorkerKind.LOOP, "sms-1")
    assert "Sending works. Pause sending" in text_of(client.get("/admin/"))


def test_switch_that_met_a_locked_database_is_tried_again_by_a_button(client, monkeypatch):
    pause = GatewayState.objects.pause

    def refuse(**options):
        raise OperationalError("database is locked")

    # test_permission_walk.py locks a database; here only the way on is looked at.
    monkeypatch.setattr(database_busy, "PATIENCE", -1)
    monkeypatch.setattr(GatewayState.objects, "pause", refuse)
    busy = client.post(f"{LIST}gateway/pause/", {"back": LIST})
    assert busy.status_code == 503
    assert text_of(busy).count("The database is busy. Nothing was changed; try again.") > 0
    assert b'value="Try again"' in busy.content
    monkeypatch.setattr(GatewayState.objects, "pause", pause)
    again = client.post(f"{LIST}gateway/pause/", dict(busy.context["fields"]))
    assert (again.url, GatewayState.objects.get().paused_at is None) == (LIST, False)


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


def test_looking_at_the_list_writes_nothing(client):
    assert "No message waits." in text_of(client.get(LIST))
    assert GatewayState.objects.count() == 0
