"""`call_command("send_sms")` leaves the signals of its process as they were."""

from __future__ import annotations

import signal
import textwrap
import threading
import time

import pytest
from django.core.management import call_command

from django_mobilon_sms.management.stop_signals import STOP_SIGNALS, stop_on_signals
from django_mobilon_sms.models import SmsMessage
from tests.support.messages import write
from tests.support.workers import PATIENCE, group, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

#: A project's process: it does what a test says, and then waits for a signal.
CALLER = """
import os, signal, threading, time
# A shell starts background jobs with this signal ignored, which the process would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
from django.core.management import CommandError, call_command

{does}
print("ready", flush=True)
time.sleep(600)
"""


def caller(does: str, sandbox, **environment: str):
    code = CALLER.format(does=textwrap.dedent(does))
    return group("-c", code, MOBILON_SMS_BASE_URL=sandbox.url, **environment)


def ended_by(process) -> int:
    process.communicate(timeout=PATIENCE)
    return process.returncode


CALLS = {
    "once": "call_command('send_sms')",
    "twice": "call_command('send_sms', '--no-refresh'); call_command('send_sms', '--no-refresh')",
    "fails": """
        from django.conf import settings
        settings.MOBILON_SMS_TIMEOUT = 0
        try:
            call_command("send_sms")
        except CommandError:
            print("failed")
        """,
    "thread": """
        thread = threading.Thread(target=call_command, args=("send_sms",))
        thread.start()
        thread.join()
        """,
    "nested": """
        from django_mobilon_sms.management.stop_signals import stop_on_signals
        with stop_on_signals():
            call_command("send_sms")
        """,
    "loop": """
        from django_mobilon_sms.models import SmsMessage

        def stop_once_sent():
            while not SmsMessage.objects.filter(status="accepted"):
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=stop_once_sent).start()
        call_command("send_sms", "--loop", "--interval=0.05", "--no-refresh")
        """,
}


@pytest.mark.parametrize("number", STOP_SIGNALS)
@pytest.mark.parametrize("does", CALLS.values(), ids=CALLS)
def test_next_signal_ends_the_process_that_called(sandbox, does, number):
    write()
    with caller(does, sandbox) as process:
        while (line := process.stdout.readline()) != "ready\n":
            assert line, "It ended too early."
        process.send_signal(number)
        assert ended_by(process) == -number
    assert SmsMessage.objects.get().status == ("pending" if "failed" in does else "accepted")


@pytest.mark.parametrize("code", [200, 413, 500])
def test_signal_during_a_single_run_reaches_the_caller_once_it_is_recorded(sandbox, code):
    write()
    sandbox.fault("http" if code != 200 else "code", code=code)
    sandbox.latency = 1
    with caller("call_command('send_sms', '--no-refresh')", sandbox) as process:
        wait_until(lambda: sandbox.posts)
        process.send_signal(signal.SIGTERM)
        assert ended_by(process) == -signal.SIGTERM
    recorded = {200: "accepted", 413: "pending", 500: "unknown"}[code]
    assert SmsMessage.objects.get().status == recorded


def test_signal_of_an_inner_call_stops_the_outer_one_too():
    with stop_on_signals() as outer:
        with stop_on_signals(hand_on=True) as inner:
            signal.raise_signal(signal.SIGTERM)
            assert (inner.is_set(), outer.is_set()) == (True, False)
        assert outer.is_set()


def test_signal_that_another_thread_receives_ends_the_sleep():
    """No handler in Python runs while the main thread sleeps."""

    def strike():
        time.sleep(0.2)  # until the main thread sleeps; too early, the test shows less
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    with stop_on_signals() as stop:
        threading.Thread(target=strike).start()
        assert stop.wait(PATIENCE)
        assert stop.is_set()


def test_handlers_of_a_project_are_put_back_and_called(sandbox):
    heard = []
    former = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        sandbox.on_request = lambda exchange: signal.pthread_kill(
            threading.main_thread().ident, signal.SIGTERM
        )
        write()
        call_command("send_sms", "--no-refresh")
        assert heard == [signal.SIGTERM]
        signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM] * 2
    finally:
        signal.signal(signal.SIGTERM, former)


def test_call_in_another_thread_needs_no_signals(sandbox):
    write()
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    seen = []

    def run():
        with stop_on_signals() as stop:
            seen.append(stop.is_set())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [False]
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before
