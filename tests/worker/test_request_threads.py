"""Requests in threads of their own, and their owner, who waits for none beyond its deadline."""

from __future__ import annotations

import threading
import time

from django_mobilon_sms.exceptions import OutcomeUnknown
from django_mobilon_sms.worker.request_threads import RequestThreads

PATIENCE = 60  # seconds: longer than anything here takes


def test_value_and_error_come_back_under_their_key():
    calls = RequestThreads(PATIENCE)
    error = SystemExit("the thread ends")

    def fail():
        raise error

    calls.start("good", lambda: 5)
    calls.start("bad", fail)
    assert len(calls) == 2
    over = calls.wait()
    over += calls.wait() if calls else []
    assert dict(over) == {"good": 5, "bad": error}
    assert len(calls) == 0


def test_call_that_outlives_its_time_is_abandoned():
    calls, over = RequestThreads(0.05), threading.Event()
    calls.start("slow", lambda: over.wait(5))
    [(key, error)] = calls.wait()
    over.set()
    assert (key, type(error), getattr(error, "code", "")) == ("slow", OutcomeUnknown, "deadline")
    assert len(calls) == 0


def test_late_end_of_an_abandoned_call_is_ignored():
    calls, over = RequestThreads(0), threading.Event()
    calls.start("slow", lambda: over.wait(PATIENCE))
    [(key, _)] = calls.wait()
    assert key == "slow"
    over.set()
    while calls._done.empty():  # the value of the abandoned call, which is to be ignored
        time.sleep(0.01)
    calls._seconds = PATIENCE  # the next one is not to be abandoned
    calls.start("next", lambda: "heard")
    assert calls.wait() == [("next", "heard")]


def test_process_that_stood_still_gets_what_came_meanwhile(monkeypatch):
    calls, go = RequestThreads(PATIENCE), threading.Event()
    calls.start("slow", lambda: go.wait(PATIENCE))
    # The clock leaps as it does over a SIGSTOP, which no test can survive in its own process.
    real, leap = time.monotonic, iter([PATIENCE * 2.0] * 2)
    monkeypatch.setattr(
        "django_mobilon_sms.worker.request_threads.time.monotonic", lambda: real() + next(leap, 0)
    )
    threading.Timer(0.1, go.set).start()
    assert calls.wait() == [("slow", True)]


def test_all_calls_that_are_over_come_back_together():
    calls = RequestThreads(PATIENCE)
    for number in range(3):
        calls.start(number, lambda number=number: -number)
    while calls._done.qsize() < 3:
        time.sleep(0.01)
    assert sorted(calls.wait()) == [(0, 0), (1, -1), (2, -2)]
    assert len(calls) == 0


def test_wait_returns_the_next_call_alone():
    calls, go = RequestThreads(PATIENCE), threading.Event()
    calls.start("never", go.wait)
    calls.start("soon", lambda: time.sleep(0.05))
    assert calls.wait() == [("soon", None)]
    go.set()
    assert calls.wait() == [("never", True)]
