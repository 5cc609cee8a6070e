"""Webhooks in the admin: what an operator sees, and the two buttons."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from django_mobilon_sms.models import WebhookConsumer, WebhookDelivery, db_now
from tests.support.admin_door import history, notices, person, text_of
from tests.support.messages import write
from tests.support.webhook_receiver import SECRET
from tests.webhooks.conftest import only, receiver, settle, work

__all__ = ["receiver"]

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/mobilon_sms/webhookconsumer/"
SEE, START = "view_webhookconsumer", "change_webhookconsumer"
HOUR = timedelta(hours=1)


def page() -> str:
    return f"{LIST}{only().pk}/change/"


def press(client, button: str, **fields: str) -> list[str]:
    return notices(client.post(f"{LIST}{only().pk}/{button}/", fields, follow=True))


def test_page_shows_state_last_error_and_what_waits(receiver):
    receiver.answer = lambda heard: 410
    write(3)
    work()
    client = person(SEE)
    row = text_of(client.get(LIST))
    assert "shop stopped 3 0 - The consumer answered 410: it wants no more events. (410)" in row
    words = text_of(client.get(page()))
    assert "The consumer answered 410 at " in words
    assert receiver.url in words
    assert SECRET not in client.get(page()).content.decode()
    assert "Start again" not in words


def test_stopped_consumer_is_started_and_gets_what_waited(receiver):
    receiver.answer = lambda heard: 410
    [message] = write()
    work()
    client = person(SEE, START)
    assert "Start again" in text_of(client.get(page()))
    assert press(client, "start") == ["The webhook was started again."]
    assert history() == [("anna", "shop", "The webhook was started again.")]
    assert press(client, "start") == ["The webhook is not stopped."]
    receiver.answer = lambda heard: 204
    work()
    assert receiver.of(message.guid) == ["pending"]
    assert "Start again" not in text_of(client.get(page()))


def test_given_up_events_are_delivered_again_from_a_time(receiver):
    receiver.answer = lambda heard: 500
    [message] = write()
    work()
    WebhookDelivery.objects.update(given_up_at=db_now())
    client = person(SEE, START)
    assert "shop works 0 1" in text_of(client.get(LIST))
    since = timezone.localtime() - HOUR
    [notice] = press(client, "again", since=f"{since:%Y-%m-%dT%H:%M}")
    assert notice.startswith("The events since ")
    assert f"{since:%H:%M}" in notice
    assert [entry[2] for entry in history()] == ["Events are delivered again from an earlier time."]
    receiver.answer = lambda heard: 204
    work()
    assert receiver.of(message.guid) == ["pending"]


def test_time_that_is_none_is_refused(receiver):
    client = person(SEE, START)
    for since in ("вчера", "0001-01-01T00:00"):
        [notice] = press(client, "again", since=since)
        assert notice.startswith("Enter the date and the time")
    assert history() == []


def test_buttons_need_their_permission_and_a_post(receiver):
    WebhookConsumer.objects.update(stopped_at=db_now())
    reader, operator = person(SEE), person(START, name="boris")
    for button in ("start", "again"):
        address = f"{LIST}{only().pk}/{button}/"
        assert reader.post(address, {"since": "2026-11-29T10:00"}).status_code == 403
        assert operator.get(address).status_code == 405
    assert only().stopped_at is not None


def test_consumer_that_fails_or_is_not_configured_says_what_happens(receiver, settings):
    receiver.answer = lambda heard: 500
    write(9)
    settle()
    work()
    client = person(SEE)
    assert "Next try, with one event: " in text_of(client.get(page()))
    settings.MOBILON_SMS_WEBHOOKS = None
    assert "MOBILON_SMS_WEBHOOKS does not name this webhook" in text_of(client.get(page()))


def test_start_page_names_webhooks_only_where_some_are_configured(receiver, settings):
    client = person(SEE)
    assert "Webhooks" in text_of(client.get("/admin/"))
    settings.MOBILON_SMS_WEBHOOKS = None
    assert "Webhooks" not in text_of(client.get("/admin/"))
