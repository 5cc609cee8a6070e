"""An hour's outage of each kind, with cron each minute and two workers: few messages are held.

What the breaker promises is in these numbers. Two workers lose at most what they have under way
when it begins, and a probe, a single message, whenever a wait is over.
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

MESSAGES, BATCH, WORKERS, CONCURRENCY = 5000, 100, 2, 4
HOUR = 60  # minutes
FOR_GOOD = 1_000_000  # times a fault strikes

#: The minutes of the probes. A wait begins a second after the minute, so cron comes a minute
#: later than it is over: after waits of 1, 2, 4, 8, 15 minutes, of one minute, of ten.
NO_PROOF = [2, 5, 10, 19, 35, 51, 67]
REFUSED = [*range(2, HOUR + 1, 2)]
TEN_MINUTES = [*range(11, HOUR + 11, 11)]
AN_HOUR = [61]

on_all_databases = pytest.mark.databases


def kind(name, code, error_code, probes, *, id=None, marks=(), **options):
    """An outage; the exit code of a run that meets it, and its messages' error code."""
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
    """A gateway out of order from ``begin()`` to ``end()``."""

    def __init__(self, sandbox, settings, name, options):
        self.sandbox, self.settings = sandbox, settings
        self.name, self.options = name, options

    def begin(self):
        if self.name == "stopped":
            self.sandbox.stop()
            return
        self.sandbox.fault(self.name, times=FOR_GOOD, **self.options)
        if self.name == "hang":  # an answer that never comes is never in time
            self.settings.MOBILON_SMS_TIMEOUT = 0.2

    def end(self):
        if self.name == "stopped":
            self.sandbox.start()
        self.sandbox.clear_faults()
        self.settings.MOBILON_SMS_TIMEOUT = 20


@pytest.fixture
def queue():
    """The messages that wait."""
    send_many({"number": "+79135292926", "text": "Ваш заказ готов"} for _ in range(MESSAGES))


def statuses():
    return Counter(SmsMessage.objects.values_list("status", flat=True))


def hour_and_what_follows(cron, outage, last):
    """Run cron through the hour, end the outage, and go on up to the minute after ``last``."""
    codes = {}
    for minute in range(last + 2):
        if minute == HOUR:
            outage.end()
        codes[minute] = cron.run(minute)
    return codes


def expected_codes(code, probes):
    """Both workers meet the outage; then one probes at times, and otherwise messages wait."""
    *failing, good = probes
    met = dict.fromkeys(failing, tuple(sorted([3, code])))
    waiting = dict.fromkeys(range(good), (3, 3))
    return waiting | met | {0: (code, code), good: (0, 3), good + 1: (0, 0)}


def assert_all_is_well(sandbox, unknown, error_code):
    """The queue is drained, all that is held is told as such, and nothing was taken twice."""
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
def test_outage_between_two_runs_costs_a_batch_a_worker_at_most(
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
def test_outage_in_the_middle_of_a_run_costs_what_is_under_way_at_most(
    sandbox, settings, monkeypatch, name, options, code, error_code, probes
):
    outage = Outage(sandbox, settings, name, options)
    under_way = WORKERS * CONCURRENCY
    # All that may be under way at once is, when the outage begins.
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
def test_answers_for_some_only_hold_the_others_and_stop_nothing(sandbox, settings, monkeypatch):
    sandbox.fault("partial", times=FOR_GOOD)
    with Cron(monkeypatch, settings, workers=WORKERS) as cron:
        assert cron.run(0) == (4, 4)
        assert cron.run(1) == (0, 0)
    assert_all_is_well(sandbox, MESSAGES // BATCH, "no_answer")


@pytest.mark.databases
def test_run_that_finds_the_breaker_open_asks_the_database_a_few_times_only(sandbox):
    send_many({"number": "+79135292926", "text": "Ваш заказ готов"} for _ in range(300))
    sandbox.fault("http_500")
    deliver()
    with CaptureQueriesContext(connection) as queries:
        report = deliver()
    assert (report.exit_code, report.claimed) == (3, 0)
    assert len(queries) <= 10
