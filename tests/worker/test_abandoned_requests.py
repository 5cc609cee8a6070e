"""Requests that take too long: whether their messages may have left, and what is sent later."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from django_mobilon_sms.gateway import uptime
from django_mobilon_sms.models import RESEND_MARGIN, GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.testing import MemoryBackend
from django_mobilon_sms.worker import deliver, request_threads
from tests.support.messages import write
from tests.support.ports import full_port, resolve_to

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

PATIENCE = 60
NAMED = "http://localhost/"


def rows():
    fields = ("status", "error_code", "batch__outcome")
    return list(SmsMessage.objects.order_by("pk").values_list(*fields))


@pytest.fixture
def hasty(settings, monkeypatch):
    """The owner of a request waits no longer than its timeout."""
    settings.MOBILON_SMS_TIMEOUT = 1
    settings.MOBILON_SMS_LEASE = 3
    monkeypatch.setattr(request_threads, "GRACE", 0)


def test_dead_addresses_before_the_live_one_cost_no_second_copy(
    sandbox, worker, settings, hasty, monkeypatch
):
    settings.MOBILON_SMS_TIMEOUT, settings.MOBILON_SMS_LEASE = 4, 12
    [message] = write()
    with full_port() as first, full_port() as second:
        resolve_to(monkeypatch, first, second, urlsplit(sandbox.url).port or 0)
        settings.MOBILON_SMS_BASE_URL = NAMED
        assert worker("--no-refresh").code == 0
    assert rows() == [("accepted", "", "answered")]
    assert sandbox.copies(message.guid) == 1


def test_request_that_is_late_in_the_name_server_never_leaves(
    sandbox, worker, settings, hasty, monkeypatch
):
    [message] = write()
    answer, before = threading.Event(), threading.active_count()
    port = urlsplit(sandbox.url).port or 0
    resolve_to(monkeypatch, port, before=lambda: answer.wait(PATIENCE))
    settings.MOBILON_SMS_BASE_URL = NAMED
    assert worker("--no-refresh").code == 3
    assert rows() == [("pending", "connection", "never_left")]
    answer.set()
    while threading.active_count() > before:
        time.sleep(0.01)
    assert sandbox.exchanges == []
    GatewayState.objects.try_now()
    assert worker("--no-refresh").code == 0
    assert sandbox.copies(message.guid) == 1


def test_machine_suspended_past_the_lease_sends_nothing_of_the_batch(
    sandbox, worker, settings, monkeypatch
):
    [message] = write()
    settings.MOBILON_SMS_BASE_URL, settings.MOBILON_SMS_LEASE = NAMED, 300
    leaps, clock_gettime = [], time.clock_gettime
    # It is suspended while the name server is asked, which no test can do to its own machine.
    monkeypatch.setattr("time.clock_gettime", lambda clock: clock_gettime(clock) + sum(leaps))

    def suspend_once():
        leaps.append(0 if leaps else 300)

    resolve_to(monkeypatch, urlsplit(sandbox.url).port or 0, before=suspend_once)
    assert worker("--no-refresh").code == 0
    batches = SmsBatch.objects.order_by("created_at").values_list("outcome", "error_code")
    assert list(batches) == [("never_left", "lease_short"), ("answered", "")]
    assert (rows(), sandbox.copies(message.guid)) == ([("accepted", "", "answered")], 1)


def test_thread_that_cannot_start_leaves_its_messages_pending(sandbox, worker, monkeypatch):
    def refused(*arguments):
        raise RuntimeError("can't start new thread")

    write()
    # Only the whole machine could run out of threads, and not for this test alone.
    monkeypatch.setattr("_thread.start_new_thread", refused)
    assert worker("--no-refresh").code == 1
    monkeypatch.undo()
    assert rows() == [("pending", "request", "never_left")]


# A backend of the project's own, which cannot be interrupted


class Own(MemoryBackend):
    """Waits, in ``send()``, until its test lets a message go that is called "slow"."""

    @staticmethod
    def wait():
        """Replaced by its test."""

    def send(self, messages):
        if messages[0].text == "slow":
            self.wait()
        return super().send(messages)


@pytest.fixture
def own(settings, hasty, monkeypatch):
    settings.MOBILON_SMS_BACKEND = "tests.worker.test_abandoned_requests.Own"
    MemoryBackend.clear()
    return lambda wait: monkeypatch.setattr(Own, "wait", staticmethod(wait))


def test_own_backend_keeps_its_batch_and_stops_no_other(own, settings):
    settings.MOBILON_SMS_LEASE = PATIENCE

    def until_others_are_sent():
        late = uptime() + settings.MOBILON_SMS_TIMEOUT + 0.1
        while len(MemoryBackend.sent) < 4 or uptime() < late:
            time.sleep(0.01)

    own(until_others_are_sent)
    write(text="first")
    write(text="slow")
    write(3, text="others")
    report = deliver(batch_size=1, concurrency=3)
    assert report.statuses == {"accepted": 5}
    assert [message.text for message in MemoryBackend.sent][-1] == "slow"


def test_own_backend_that_outlasts_its_lease_is_resent_after_the_margin(own, worker):
    go = threading.Event()
    own(lambda: go.wait(PATIENCE))
    write(text="slow")
    assert worker("--no-refresh").code == 4
    assert rows() == [("unknown", "lost", "lost")]
    assert SmsMessage.objects.all().resend(by=None) == 0
    go.set()
    SmsBatch.objects.update(lease_until=db_now() - RESEND_MARGIN - timedelta(seconds=1))
    assert SmsMessage.objects.all().resend(by=None) == 1
