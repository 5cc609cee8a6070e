"""`manage.py sms_webhooks`: shows the consumers, delivers, starts, delivers again."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from django_mobilon_sms.models import SmsEvent, WebhookConsumer, WebhookDelivery, db_now
from django_mobilon_sms.webhooks import consumers
from tests.support.messages import write
from tests.support.webhook_receiver import SECRET, Receiver
from tests.webhooks.conftest import only, receiver, settle

__all__ = ["receiver"]

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

HOUR = timedelta(hours=1)
#: No place has it, and PostgreSQL refuses it.
FAR = timezone.get_fixed_timezone(-20 * HOUR)


def command(*words: str) -> str:
    output = StringIO()
    call_command("sms_webhooks", *words, stdout=output)
    return output.getvalue().strip()


def as_json(*words: str) -> list[dict]:
    return json.loads(command("--json", *words))["consumers"]


def test_it_delivers_and_shows_how_far_the_consumer_has_got(receiver):
    write(2)
    settle()
    assert command() == "shop: works\n  Delivered: 0\n  Not delivered yet: 2"
    assert command("--deliver") == "shop: works\n  Delivered: 2"
    assert len(receiver.taken) == 2


def test_it_delivers_to_one_consumer_if_it_is_named(receiver, settings):
    with Receiver() as office:
        settings.MOBILON_SMS_WEBHOOKS |= {"office": {"URL": office.url, "SECRET": SECRET}}
        command("--deliver")  # the worker meets the consumer
        write(1)
        settle()
        with pytest.raises(CommandError, match="There is no consumer ofice"):
            command("ofice", "--deliver")
        assert command("office", "--deliver") == "office: works\n  Delivered: 1"
        assert (len(office.taken), receiver.taken) == (1, [])


def test_failures_are_shown(receiver, settings):
    receiver.answer = lambda heard: 503
    write(1)
    settle()
    lines = command("--deliver").splitlines()
    assert lines[:3] == ["shop: works", "  Delivered: 0", "  Not delivered yet: 1"]
    assert lines[3].endswith(": The consumer answered with an HTTP error. (503)")
    WebhookDelivery.objects.update(given_up_at=db_now())
    assert "  Given up: 1 event" in command().splitlines()
    settings.MOBILON_SMS_WEBHOOKS = None
    assert command().startswith("shop: not in MOBILON_SMS_WEBHOOKS")


def test_monitor_reads_json(receiver):
    receiver.answer = lambda heard: 410
    write(1)
    settle()
    [found] = as_json("--deliver")
    assert (found["stopped_at"], found["last_error_at"]) == (
        only().stopped_at.isoformat(),
        only().last_error_at.isoformat(),
    )
    del found["stopped_at"], found["last_error_at"]
    assert found == {
        "name": "shop",
        "state": "stopped",
        "url": receiver.url,
        "behind": 1,
        "given_up": 0,
        "delivered": 0,
        "failures": 1,
        "last_error": "gone",
        "last_http_code": 410,
        "next_try_at": None,
        "last_success_at": None,
    }


def test_counts_end_at_a_bound(receiver, monkeypatch):
    monkeypatch.setattr(consumers, "COUNT_LIMIT", 2)
    for shown in ("2", "2+"):
        write(2)
        settle()
        assert command().endswith(f"Not delivered yet: {shown}")


def test_stopped_consumer_is_started(receiver):
    WebhookConsumer.objects.update(stopped_at=db_now())
    assert command().startswith("shop: stopped: it answered 410 at ")
    assert command("shop", "--start").startswith("shop: works")


@pytest.mark.parametrize(
    "give",
    [
        lambda: "2h",
        lambda: (timezone.localtime() - 2 * HOUR).replace(tzinfo=None).isoformat(),
        lambda: (timezone.now() - 2 * HOUR).astimezone(FAR).isoformat(),
    ],
)
def test_events_since_a_time_are_delivered_again(receiver, give):
    write(1)
    SmsEvent.objects.update(created_at=db_now() - 3 * HOUR)
    write(1)
    settle()
    command("--deliver")
    assert "Not delivered yet: 1" in command("shop", "--again-from", give())
    command("--deliver")
    assert len(receiver.taken) == 3


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--start"], "Name the consumer"),
        (["--again-from", "2h"], "Name the consumer"),
        (["office", "--start"], "There is no consumer office."),
        (["shop", "--again-from", "yesterday"], "must be a time like"),
        (["shop", "--again-from", "2026-13-01T00:00"], "must be a time like"),
        (["shop", "--again-from", "0001-01-01T00:00"], "must be a time like"),
        (["shop", "--again-from", "36501d"], "must be a time like"),
    ],
)
def test_wrong_usage_says_the_way_out(receiver, words, error):
    with pytest.raises(CommandError, match=error):
        command(*words)


def test_without_consumers_it_says_so(settings, db):
    assert (command(), as_json()) == ("There are no consumers.", [])
    settings.MOBILON_SMS_EVENTS = "30d"
    settings.MOBILON_SMS_WEBHOOKS = {"shop": {"URL": "https://shop.example/", "SECRET": SECRET}}
    assert command() == "shop: new: it gets the events from now on\n  Delivered: 0"
    assert command("shop") == command()
    with pytest.raises(CommandError, match="There is no consumer office"):
        command("office")
    settings.MOBILON_SMS_WEBHOOKS["shop"]["SECRET"] = "x"
    assert command() == "There are no consumers."
    with pytest.raises(CommandError, match="E041"):
        command("--deliver")
