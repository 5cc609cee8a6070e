"""A poison message makes the gateway refuse its whole request, or fail: the others go out."""

from __future__ import annotations

from collections import Counter

import pytest

from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.outbox import send_many
from django_mobilon_sms.sandbox import Sandbox
from django_mobilon_sms.sandbox.broken_replies import FAULTS
from django_mobilon_sms.sandbox.faults import find
from tests.support.cron import Cron
from tests.support.messages import write

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MESSAGES, BATCH = 300, 100
POISON = "яд"
PLACES = [0, 150, MESSAGES - 1]
HOURS = 2 * 60  # minutes


class Choosy(Sandbox):
    """A gateway on which a fault strikes every request that contains the poison."""

    def __init__(self, fault):
        super().__init__()
        self.fault_of_poison = find(FAULTS, fault)

    def _reply(self, exchange, objects, fault):
        poisoned = any(asked.get("text") == POISON for asked in objects)
        return super()._reply(exchange, objects, self.fault_of_poison if poisoned else fault)


@pytest.fixture
def sandbox(settings, fault):
    with Choosy(fault) as server:
        settings.MOBILON_SMS_BASE_URL = server.url
        yield server


def write_with_poison(place):
    texts = [POISON if number == place else "Ваш заказ готов" for number in range(MESSAGES)]
    send_many({"number": "+79135292926", "text": text} for text in texts)


def drain(cron, *, start, within):
    """Run cron until only the poison is pending; return the next minute."""
    others = SmsMessage.objects.exclude(text=POISON)
    for minute in range(start, start + within):
        cron.run(minute)
        if not others.filter(status="pending").exists():
            return minute + 1
    raise AssertionError("The queue stands still.")


def statuses(messages):
    return Counter(messages.values_list("status", flat=True))


def assert_everything_else_was_taken_once(sandbox):
    copies = Counter(message.guid for message in sandbox.messages)
    others = SmsMessage.objects.exclude(text=POISON)
    assert copies == {str(guid): 1 for guid in others.values_list("guid", flat=True)}
    assert statuses(others) == {"accepted": others.count()}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", ["http_403", "http_413"])
def test_refused_poison_waits_and_only_it_is_not_sent(sandbox, settings, monkeypatch, place):
    write_with_poison(place)
    with Cron(monkeypatch, settings) as cron:
        drain(cron, start=0, within=10)
    assert_everything_else_was_taken_once(sandbox)
    poison = SmsMessage.objects.filter(text=POISON)
    assert set(poison.values_list("status", "error_code")) == {("pending", "http_refused")}
    assert poison.cancel() == 1
    assert statuses(poison) == {"cancelled": 1}


@pytest.mark.databases
@pytest.mark.parametrize("fault", ["http_403"])
def test_refused_poison_is_retried_ever_more_rarely_and_delays_others_for_minutes_only(
    sandbox, settings, monkeypatch
):
    write_with_poison(150)
    others = SmsMessage.objects.exclude(text=POISON)
    longest = 0
    with Cron(monkeypatch, settings) as cron:
        for minute in range(drain(cron, start=0, within=10), HOURS):
            write()
            cron.run(minute)
            longest = max(longest, others.filter(status="pending").count())
        drain(cron, start=HOURS, within=3)
    assert_everything_else_was_taken_once(sandbox)
    assert longest <= 2  # the breaker waits a minute after each attempt, and cron adds to it
    [attempts] = SmsMessage.objects.filter(text=POISON).values_list("attempts", flat=True)
    assert 6 <= attempts <= 9  # after 1, 2, 4, 8, 16, 32, 60 minutes


@pytest.mark.databases
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("fault", "error_code"), [("http_400", "rejected"), ("http_500", "http_error")]
)
def test_poison_that_holds_its_batch_is_the_only_message_held_after_a_resend(
    sandbox, settings, monkeypatch, place, error_code
):
    write_with_poison(place)
    with Cron(monkeypatch, settings) as cron:
        minute = drain(cron, start=0, within=5)
        assert statuses(SmsMessage.objects) == {"accepted": MESSAGES - BATCH, "unknown": BATCH}
        assert SmsMessage.objects.resend(by=None) == BATCH
        drain(cron, start=minute, within=10)
    assert_everything_else_was_taken_once(sandbox)
    poison = SmsMessage.objects.filter(text=POISON)
    assert set(poison.values_list("status", "error_code")) == {("unknown", error_code)}
