"""An outage of an hour, of each kind, with cron every minute and two workers: few are held.

These numbers are the promise of the breaker. Two workers hold at most the messages under way when
the outage begins, and the one message of a probe whenever a wait is over.
"""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.models import GatewayState, SmsMessage
from django_mobilon_sms.outbox import send_many
from django_mobilon_sms.worker import deliver
from tests.support.cron import PATIENCE, Cron

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MESSAGES, BATCH, WORKERS = 5000, 100, 2
#: Requests under way in a worker: one of its slots is kept for urgent messages.
CONCURRENCY = 4
HOUR = 60  # minutes
FOR_GOOD = 1_000_000  # times a fault strikes

#: The minutes of the probes. A wait begins a second after the minute, so cron comes up to a minute
#: after its end: after waits of 1, 2, 4, 8 and 15 minutes; of one minute; of ten.
NO_PROOF = [2, 5, 10, 19, 35, 51, 67]
REFUSED = [*range(2, HOUR + 1, 2)]
TEN_MINUTES = [*range(11, HOUR + 11, 11)]
AN_HOUR = [61]

on_all_databases = pytest.mark.databases


def kind(name, code, error_code, probes, *, id=None, marks=(), **options):
    """Return an outage with the exit code of a run and the error code of its messages."""
    return pytest.param(name, options, code, error_code, probes, id=id or name, marks=marks)


PROVES_NOTHING = [
    kind("hang", 4, "timeout", NO_PROOF, marks=on_all_databases),
    kind("reset_after_read", 4, "broken", NO_PROOF),
    kind("http_500", 4, "http_error", NO_PROOF),
    kind("http_503", 4, "http_error", NO_PROOF),
    kind("html", 4, "bad_reply", NO_PROOF),
    kind("no_id", 4, "no_id", NO_PROOF),
]
PROVES_NOTHING_WAS_TAKEN = [
    kind("stopped", 3, "connection", REFUSED, marks=on_all_databases),
    kind("http_401", 1, "credentials", REFUSED),
    kind("http_413", 3, "http_refused", REFUSED),
    kind("http_429", 3, "rate_limited", REFUSED),
    kind(
        "http_429",
        3,
        "rate_limited",
        TEN_MINUTES,
        id="retry_after_10_minutes",
        headers={"Retry-After": "600"},
    ),
    kind(
        "http_429",
        3,
        "rate_limited",
        AN_HOUR,
        id="retry_after_a_day",
        headers={"Retry-After": "86400"},
    ),
]
OUTAGE = ("name", "options", "code", "error_code", "probes")


class Outage:
    """A gateway that fails from ``begin()`` to ``end()``."""

    def __init__(self, sandbox, settings, name, options):
        self.sandbox, self.settings = sandbox, settings
        self.name, self.options = name, options

    def begin(self):
        if self.name == "stopped":
            self.sandbox.stop()
            return
        self.sandbox.fault(self.name, times=FOR_GOOD, **self.options)
        if self.name == "hang":  # because no timeout is long enough
            self.settings.MOBILON_SMS_TIMEOUT = 0.2

    def end(self):
        if self.name == "stopped":
            self.sandbox.start()
        self.sandbox.clear_faults()
        self.settings.MOBILON_SMS_TIMEOUT = 20


@pytest.fixture
def queue():
    """Pending messages."""
    send_many({"number": "+79135292926", "text": "Ваш заказ готов"} for _ in range(MESSAGES))


def statuses():
    return Counter(SmsMessage.objects.values_list("status", flat=True))


def hour_and_what_follows(cron, outage, last):
    """Run cron for an hour, end the outage, and go on up to the minute after ``last``."""
    codes = {}
    for minute in range(last + 2):
        if minute == HOUR:
            outage.end()
        codes[minute] = cron.run(minute)
    return codes


def expected_codes(code, probes):
    """Return the exit codes: both workers meet the outage, then one probes, and else all wait."""
    *failing, good = probes
    met = dict.fromkeys(failing, tuple(sorted([3, code])))
    waiting = dict.fromkeys(range(good), (3, 3))
    return waiting | met | {0: (code, code), good: (0, 3), good + 1: (0, 0)}


def assert_all_is_well(sandbox, unknown, error_code):
    """Assert that the queue is empty, ``unknown`` messages are held, and none was taken twice."""
    expected = {"accepted": MESSAGES - unknown, "unknown": unknown}
    assert statuses() == +Counter(expected)
    held = SmsMessage.objects.filter(status="unknown")
    assert set(held.values_list("error_code", flat=True)) == ({error_code} if unknown else set())
    copies = Counter(message.guid for message in sandbox.messages)
    assert set(copies.values()) == {1}
    accepted = SmsMessage.objects.filter(status="accepted").values_list("guid", flat=True)
    assert {str(guid) for guid in accepted} <= set(copies)
    state = GatewayState.objects.current()
    assert (state.blocked_until, state.failures, state.probe) == (None, 0, None)


@pytest.mark.parametrize(OUTAGE, PROVES_NOTHING + PROVES_NOTHING_WAS_TAKEN)
@pytest.mark.usefixtures("queue")
def test_outage_between_two_runs_costs_at_most_a_batch_per_worker(
    sandbox, settings, monkeypatch, name, options, code, error_code, probes
):
    outage = Outage(sandbox, settings, name, options)
    outage.begin()
    with Cron(monkeypatch, settings, workers=WORKERS) as cron:
        codes = hour_and_what_follows(cron, outage, probes[-1])
    assert codes == expected_codes(code, probes)
    unknown = WORKERS * BATCH + len(probes) - 1 if code == 4 else 0
    assert unknown <= 250
    assert_all_is_well(sandbox, unknown, error_code)


@pytest.mark.parametrize(
    OUTAGE,
    [
        kind("reset_after_read", 4, "broken", NO_PROOF, marks=on_all_databases),
        kind("http_500", 4, "http_error", NO_PROOF),
        kind("stopped", 3, "connection", REFUSED, marks=on_all_databases),
        kind("http_429", 3, "rate_limited", REFUSED),
    ],
)
@pytest.mark.usefixtures("queue")
def test_outage_in_the_middle_of_a_run_costs_at_most_the_requests_under_way(
    sandbox, settings, monkeypatch, name, options, code, error_code, probes
):
    outage = Outage(sandbox, settings, name, options)
    under_way = WORKERS * CONCURRENCY
    # The outage begins when as many requests as possible are under way.
    together = threading.Barrier(under_way, action=outage.begin, timeout=PATIENCE)

    def begin(before):
        if 20 <= before < 20 + under_way:
            together.wait()

    with Cron(monkeypatch, settings, workers=WORKERS, on_post=begin) as cron:
        codes = hour_and_what_follows(cron, outage, probes[-1])
    assert codes == expected_codes(code, probes)
    unknown = under_way * BATCH + len(probes) - 1 if code == 4 else 0
    assert_all_is_well(sandbox, unknown, error_code)


@pytest.mark.usefixtures("queue")
def test_partial_answers_hold_the_other_messages_and_stop_nothing(sandbox, settings, monkeypatch):
    sandbox.fault("partial", times=FOR_GOOD)
    with Cron(monkeypatch, settings, workers=WORKERS) as cron:
        assert cron.run(0) == (4, 4)
        assert cron.run(1) == (0, 0)
    assert_all_is_well(sandbox, MESSAGES // BATCH, "no_answer")


@pytest.mark.databases
def test_run_that_finds_the_breaker_open_makes_few_queries(sandbox):
    send_many({"number": "+79135292926", "text": "Ваш заказ готов"} for _ in range(300))
    sandbox.fault("http_500")
    deliver()
    with CaptureQueriesContext(connection) as queries:
        report = deliver()
    assert (report.exit_code, report.claimed) == (3, 0)
    assert len(queries) <= 10
