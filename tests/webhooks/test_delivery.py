"""Delivery to a real consumer: at least once, in order for a message, retried and given up."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.models import (
    EventFeed,
    SmsEvent,
    SmsMessage,
    WebhookConsumer,
    WebhookDelivery,
    db_now,
)
from django_mobilon_sms.operations import purge
from django_mobilon_sms.webhooks import consumer_states, deliver_again
from django_mobilon_sms.webhooks.delivery import CONCURRENCY
from tests.support.messages import write
from tests.support.workers import PATIENCE
from tests.webhooks.conftest import only, pass_time, settle, work

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

SECONDS, MINUTE, HOUR = timedelta(seconds=6), timedelta(minutes=1), timedelta(hours=1)
DAYS = timedelta(days=3)
LIFE = ["pending", "cancelled"]


def write_and_cancel(count: int = 1) -> list[SmsMessage]:
    """Messages that have two events each."""
    found = write(count)
    SmsMessage.objects.filter(pk__in=[message.pk for message in found]).cancel()
    return found


def state():
    [found] = consumer_states()
    return found.state, found.behind, found.given_up


def test_events_are_delivered_in_order_and_leave_no_row(receiver):
    first, second = write(2)
    SmsMessage.objects.filter(pk=first.pk).cancel()
    work()
    assert receiver.of(first.guid) == LIFE
    assert receiver.of(second.guid) == ["pending"]
    assert WebhookDelivery.objects.count() == 0
    assert (only().delivered, only().last_error, only().lease, only().failures) == (3, "", None, 0)
    assert state() == ("works", 0, 0)
    work()
    assert len(receiver.heard) == 3


def test_new_consumer_gets_the_events_from_now_on(receiver):
    WebhookConsumer.objects.all().delete()
    write()
    work()
    [message] = write()
    work()
    assert [heard.data["guid"] for heard in receiver.heard] == [str(message.guid)]


def test_only_events_of_the_named_types_are_delivered(receiver, settings):
    settings.MOBILON_SMS_WEBHOOKS["shop"]["EVENTS"] = ["message.cancelled"]
    write_and_cancel(2)
    write(30)
    work()
    assert [heard.type for heard in receiver.heard] == ["message.cancelled"] * 2
    assert state() == ("works", 0, 0)


def test_idle_poll_writes_nothing(receiver):
    write()
    work()
    with CaptureQueriesContext(connection) as queries:
        work()
    # SET: the isolation level of a read, on MariaDB.
    assert {query["sql"].split()[0] for query in queries} - {"SET"} == {"SELECT"}


def test_several_requests_are_under_way_at_once_with_a_bound(receiver):
    barrier = threading.Barrier(CONCURRENCY)
    receiver.answer = lambda heard: barrier.wait(PATIENCE) * 0 + 204
    write(2 * CONCURRENCY)
    work()
    assert (len(receiver.taken), receiver.most_at_once) == (2 * CONCURRENCY, CONCURRENCY)


# Failures


def test_failed_event_holds_back_only_the_later_ones_of_its_message(receiver):
    bad, good = write_and_cancel(2)
    receiver.answer = lambda heard: 500 if heard.data["guid"] == str(bad.guid) else 204
    work()
    assert (receiver.of(bad.guid), receiver.of(good.guid)) == ([], LIFE)
    assert state() == ("works", 2, 0)
    assert (only().last_error, only().last_http_code) == ("http_error", 500)
    [third] = write_and_cancel(1)
    work()  # it is not time for the next attempt
    assert receiver.of(third.guid) == LIFE
    assert receiver.codes.count(500) == 1
    receiver.answer = lambda heard: 204
    pass_time(SECONDS)
    work()
    assert receiver.of(bad.guid) == LIFE
    assert WebhookDelivery.objects.count() == 0


def test_later_event_of_a_message_waits_for_the_one_that_failed_before(receiver):
    receiver.answer = lambda heard: 500
    [message] = write()
    work()
    SmsMessage.objects.all().cancel()
    receiver.answer = lambda heard: 204
    work()
    assert receiver.of(message.guid) == []
    pass_time(SECONDS)
    work()
    assert receiver.of(message.guid) == LIFE


def test_consumer_that_was_down_for_an_hour_gets_everything_in_order(receiver):
    receiver.answer = lambda heard: 503
    found = []
    for _minute in range(60):
        found += write_and_cancel(1)
        work()
        pass_time(MINUTE)
    assert state()[:2] == ("failing", 120)
    asked = len(receiver.heard)
    assert asked < 60  # it is not flooded while it is down
    receiver.answer = lambda heard: 204
    pass_time(HOUR)
    work()
    assert [message.guid for message in found if receiver.of(message.guid) != LIFE] == []
    assert len(receiver.taken) == len({*receiver.taken}) == 120
    assert state() == ("works", 0, 0)
    assert WebhookDelivery.objects.count() == 0


def test_events_of_a_kind_that_fails_do_not_keep_back_the_others_for_long(receiver):
    receiver.answer = lambda heard: 500 if heard.type == "message.cancelled" else 204
    write(8)
    work()
    SmsMessage.objects.all().cancel()
    work()
    assert state()[0] == "failing"
    [message] = write()
    pass_time(SECONDS)
    work()
    assert receiver.of(message.guid) == ["pending"]


def test_event_is_given_up_after_three_days_and_counted(receiver, caplog):
    [bad] = write_and_cancel(1)
    receiver.answer = lambda heard: 500 if heard.data["status"] == "pending" else 204
    passed = timedelta()
    while state() == ("works", 2, 0) and passed < 2 * DAYS:
        work()
        pass_time(HOUR)
        passed += HOUR
    assert DAYS <= passed <= DAYS + 2 * HOUR
    assert 10 <= receiver.codes.count(500) <= 14
    assert "webhook.undelivered consumer=shop events=1" in caplog.messages
    assert state() == ("works", 0, 1)
    assert receiver.of(bad.guid) == ["cancelled"]
    pass_time(DAYS)
    work()
    assert state() == ("works", 0, 1)


def test_event_of_a_failing_consumer_is_given_up_after_three_days_too(receiver):
    receiver.answer = lambda heard: 500
    write(30)
    work()
    tried = len(receiver.heard)
    assert (tried < 30, state()[2]) == (True, 0)
    pass_time(DAYS)
    work()
    assert (state()[0], state()[2]) == ("failing", tried)


def test_given_up_event_is_delivered_again_on_demand(receiver):
    [message] = write()
    receiver.answer = lambda heard: 500
    work()
    WebhookDelivery.objects.update(given_up_at=db_now())
    receiver.answer = lambda heard: 204
    work()
    assert receiver.taken == []
    deliver_again(only(), message.created_at - HOUR)
    work()
    assert receiver.of(message.guid) == ["pending"]
    assert state() == ("works", 0, 0)


def test_given_up_event_that_was_deleted_meanwhile_is_delivered_again(receiver):
    [message] = write()
    receiver.answer = lambda heard: 500
    work()
    WebhookDelivery.objects.update(given_up_at=db_now())
    SmsEvent.objects.all().delete()
    receiver.answer = lambda heard: 204
    deliver_again(only(), message.created_at - HOUR)
    work()
    assert receiver.of(message.guid) == ["pending"]
    assert WebhookDelivery.objects.count() == 0


def test_all_events_since_a_time_are_delivered_again_in_order(receiver):
    write_and_cancel(1)
    SmsEvent.objects.update(created_at=db_now() - 2 * HOUR)
    [message] = write_and_cancel(1)
    work()
    deliver_again(only(), message.created_at - HOUR)
    work()
    assert receiver.of(message.guid) == LIFE * 2
    assert len(receiver.taken) == 6


def test_event_that_is_read_again_while_it_waits_is_delivered_once(receiver):
    """The feed has the order of the commits, so an event may stand after one of a later time."""
    receiver.answer = lambda heard: 500
    write(3)
    work()
    late = SmsEvent.objects.order_by("-id").first()
    SmsEvent.objects.filter(pk=late.pk).update(created_at=late.created_at - HOUR)
    WebhookDelivery.objects.filter(event=late.pk).update(occurred_at=late.created_at - HOUR)
    receiver.answer = lambda heard: 204
    deliver_again(only(), late.created_at - HOUR / 2)
    work()
    pass_time(SECONDS)
    work()
    assert sorted(receiver.taken) == sorted(
        f"evt_{pk}" for pk in SmsEvent.objects.values_list("pk", flat=True)
    )
    assert WebhookDelivery.objects.count() == 0


def test_410_stops_the_consumer_until_somebody_starts_it(receiver, caplog):
    receiver.answer = lambda heard: 410
    [message] = write_and_cancel(1)
    work()
    assert state() == ("stopped", 2, 0)
    assert only().last_error == "gone"
    assert "webhook.stopped consumer=shop" in caplog.messages
    receiver.answer = lambda heard: 204
    pass_time(HOUR)
    work()
    assert receiver.taken == []
    assert WebhookConsumer.objects.start(only()) == 1
    assert WebhookConsumer.objects.start(only()) == 0
    work()
    assert receiver.of(message.guid) == LIFE
    assert state() == ("works", 0, 0)


def test_deleted_events_are_said_to_be_lost_and_the_rest_is_delivered(receiver, caplog):
    write(2)
    [message] = write()
    newest = SmsEvent.objects.order_by("-id")[1]
    EventFeed.objects.create(pk=1, deleted_order=newest.commit_order, deleted_id=newest.pk)
    SmsEvent.objects.filter(pk__lte=newest.pk).delete()
    work()
    assert receiver.of(message.guid) == ["pending"]
    assert len(receiver.taken) == 1
    assert only().last_error == "expired"
    assert "webhook.missed consumer=shop" in caplog.messages


def test_purge_keeps_what_a_consumer_has_not_had_and_old_rows_until_then(receiver, settings):
    settings.MOBILON_SMS_EVENTS = "1d"
    [had] = write()
    work()
    [waits] = write()
    SmsEvent.objects.update(created_at=db_now() - 2 * DAYS / 3)
    assert purge(DAYS).events == 1
    assert list(SmsEvent.objects.values_list("guid", flat=True)) == [waits.guid]
    receiver.answer = lambda heard: 500
    work()
    assert purge(DAYS).events == 1  # the row repeats the event
    receiver.answer = lambda heard: 204
    pass_time(SECONDS)
    work()
    assert receiver.of(waits.guid) == ["pending"]
    assert receiver.of(had.guid) == ["pending"]


def test_purge_counts_what_a_consumer_missed(receiver, settings):
    settings.MOBILON_SMS_EVENTS = "1d"
    write(2)
    settle()
    SmsEvent.objects.update(created_at=db_now() - 5 * DAYS / 3)
    assert purge(DAYS)[3:] == (2, 2)
    work()
    assert only().last_error == "expired"
    assert state() == ("works", 0, 0)


def test_purge_forgets_given_up_events_when_all_of_their_age_are_gone(receiver, settings):
    settings.MOBILON_SMS_EVENTS = "1d"
    receiver.answer = lambda heard: 500
    write(3)
    work()
    ages = [timedelta(days=3), timedelta(days=5), timedelta(days=5)]
    for row, age in zip(WebhookDelivery.objects.order_by("event"), ages):
        WebhookDelivery.objects.filter(pk=row.pk).update(
            given_up_at=db_now(), occurred_at=db_now() - age
        )
    WebhookDelivery.objects.filter(pk=row.pk).update(given_up_at=None)
    purge(DAYS)
    assert WebhookDelivery.objects.given_up().count() == 1
    assert WebhookDelivery.objects.waiting().count() == 1
