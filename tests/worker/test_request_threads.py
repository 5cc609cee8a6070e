"""Requests in threads of their own, and their owner, who waits for none beyond its deadline."""

from __future__ import annotations

import threading
import time

import pytest

from django_mobilon_sms.exceptions import NeverLeft, OutcomeUnknown
from django_mobilon_sms.gateway import Call, uptime
from django_mobilon_sms.worker import request_threads
from django_mobilon_sms.worker.request_threads import RequestThreads

PATIENCE = 60  # seconds: longer than anything here takes


@pytest.fixture
def no_grace(monkeypatch):
    """Let nothing be waited for beyond its deadline, so that no test takes seconds."""
    monkeypatch.setattr(request_threads, "GRACE", 0)


def start(threads, key, function, *, call=None):
    threads.start(key, call or Call(PATIENCE), function)


def test_value_and_error_come_back_under_their_key():
    threads = RequestThreads()
    error = SystemExit("the thread ends")

    def fail():
        raise error

    start(threads, "good", lambda: 5)
    start(threads, "bad", fail)
    assert len(threads) == 2
    over = threads.wait()
    over += threads.wait() if threads else []
    assert dict(over) == {"good": 5, "bad": error}
    assert len(threads) == 0


@pytest.mark.parametrize("begun", [True, False])
def test_call_that_outlives_its_time_is_abandoned(no_grace, begun):
    threads, go, call = RequestThreads(), threading.Event(), Call(0.05)

    def slow():
        if begun:
            call.begin()
        go.wait(PATIENCE)

    start(threads, "slow", slow, call=call)
    [(key, error)] = threads.wait()
    go.set()
    proved = (NeverLeft, "connection") if begun else (OutcomeUnknown, "lost")
    assert (key, type(error), getattr(error, "code", "")) == ("slow", *proved)
    assert len(threads) == 0


def test_call_that_cannot_be_interrupted_is_waited_for_until_its_lease_ends(no_grace):
    threads, call = RequestThreads(), Call(0.05, lease_end=uptime() + PATIENCE)

    def slow():
        while uptime() < call.deadline + 0.1:
            time.sleep(0.01)
        return "heard"

    start(threads, "slow", slow, call=call)
    assert threads.wait() == [("slow", "heard")]


def test_late_end_of_an_abandoned_call_is_ignored(no_grace):
    threads, go = RequestThreads(), threading.Event()
    start(threads, "slow", lambda: go.wait(PATIENCE), call=Call(0))
    [(key, _)] = threads.wait()
    assert key == "slow"
    go.set()
    while threads._done.empty():  # the value of the abandoned call, which is to be ignored
        time.sleep(0.01)
    start(threads, "next", lambda: "heard")
    assert threads.wait() == [("next", "heard")]


def test_process_that_stood_still_gets_what_came_meanwhile(monkeypatch):
    threads, go = RequestThreads(), threading.Event()
    start(threads, "slow", lambda: go.wait(PATIENCE))
    # The clock leaps as it does over a SIGSTOP, which no test can survive in its own process.
    leap = iter([PATIENCE * 2.0] * 2)
    monkeypatch.setattr(request_threads, "uptime", lambda: uptime() + next(leap, 0))
    threading.Timer(0.1, go.set).start()
    assert threads.wait() == [("slow", True)]


def test_thread_that_cannot_start_proves_that_nothing_left(monkeypatch):
    def refused(*arguments):
        raise RuntimeError("can't start new thread")

    # Only the whole machine could run out of threads, and not for this test alone.
    monkeypatch.setattr("_thread.start_new_thread", refused)
    threads = RequestThreads()
    start(threads, "first", lambda: 5)
    [(key, error)] = threads.wait()
    assert (key, type(error), error.code) == ("first", NeverLeft, "request")


def test_all_calls_that_are_over_come_back_together():
    threads = RequestThreads()
    for number in range(3):
        start(threads, number, lambda number=number: -number)
    while threads._done.qsize() < 3:
        time.sleep(0.01)
    assert sorted(threads.wait()) == [(0, 0), (1, -1), (2, -2)]
    assert len(threads) == 0


def test_wait_returns_the_next_call_alone():
    threads, go = RequestThreads(), threading.Event()
    start(threads, "never", go.wait)
    start(threads, "soon", lambda: time.sleep(0.05))
    assert threads.wait() == [("soon", None)]
    go.set()
    assert threads.wait() == [("never", True)]
