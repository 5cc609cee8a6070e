"""A call that is abandoned, and its one deadline, against real sockets."""

from __future__ import annotations

import os
import resource
import threading
import time
from contextlib import closing, contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from django_mobilon_sms.exceptions import GatewayError, NeverLeft, OutcomeUnknown
from django_mobilon_sms.gateway import Call, MobilonGateway, OutgoingMessage, uptime, with_call
from django_mobilon_sms.sandbox import Sandbox
from django_mobilon_sms.testing import MemoryBackend
from tests.support.broken_replies import BROKEN_REPLIES
from tests.support.ports import PATIENT, Listener, full_port, https, resolve_to, take
from tests.support.workers import wait_until

NAMED = "http://localhost/"  # a name that the sandbox answers to; the tests resolve it themselves


@pytest.fixture
def listener():
    with closing(Listener()) as server:
        yield server


def message():
    return OutgoingMessage(uuid4(), "89135292926", "Ваш заказ готов", "89234560000")


class Sending(threading.Thread):
    """Sends a message under a call; ``error`` is what it ended with."""

    def __init__(self, url, call):
        super().__init__(daemon=True)
        self.call, self.error = call, None
        self.gateway = MobilonGateway(url, "sandbox", "sandbox", PATIENT)
        self.start()

    def run(self):
        try:
            self.gateway.send([message()], call=self.call)
        except GatewayError as error:
            self.error = error

    def end(self):
        """What it ended with, as kind and code."""
        self.join(PATIENT)
        assert not self.is_alive()
        return type(self.error), self.error and self.error.code


def proved(error):
    return type(error), error.code


NEVER, ABANDONED = (NeverLeft, "connection"), (OutcomeUnknown, "deadline")


# The decision


def test_call_abandoned_in_the_name_server_writes_nothing(listener, monkeypatch):
    asked, answer = threading.Event(), threading.Event()
    before = threading.active_count()
    resolve_to(monkeypatch, listener.port, before=lambda: asked.set() or answer.wait(PATIENT))
    call = Call(PATIENT)
    sending = Sending(NAMED, call)
    assert asked.wait(PATIENT)
    assert proved(call.abandon()) == NEVER
    answer.set()
    assert sending.end() == NEVER
    assert (listener.heard, listener.has_left.is_set()) == (b"", False)
    assert threading.active_count() == before


def test_call_abandoned_while_it_connects_ends_at_once_and_never_left():
    with full_port() as port:
        call = Call(PATIENT * 100)
        sending = Sending(f"http://127.0.0.1:{port}/", call)
        wait_until(lambda: call._socket is not None)
        assert proved(call.abandon()) == NEVER
        assert sending.end() == NEVER


def test_call_abandoned_in_the_handshake_never_left(listener):
    call = Call(PATIENT * 100)
    sending = Sending(f"https://127.0.0.1:{listener.port}/", call)
    wait_until(lambda: listener.heard)  # the handshake's first words
    assert proved(call.abandon()) == NEVER
    assert sending.end() == NEVER
    assert listener.has_left.wait(PATIENT)
    assert b"POST" not in listener.heard


def test_call_abandoned_while_it_writes_may_have_left_and_its_socket_is_shut(listener):
    call = Call(PATIENT * 100)
    sending = Sending(f"http://127.0.0.1:{listener.port}/", call)
    wait_until(lambda: listener.heard.endswith(b"}]"))
    assert proved(call.abandon()) == ABANDONED
    assert listener.has_left.wait(PATIENT)
    assert sending.end() == (OutcomeUnknown, "broken")
    assert call._socket is None


def test_lease_that_ends_in_the_name_server_lets_nothing_leave(listener, monkeypatch):
    call = Call(PATIENT, lease_end=uptime() + PATIENT + 0.1)
    resolve_to(monkeypatch, listener.port, before=lambda: time.sleep(0.2))
    assert Sending(NAMED, call).end() == (NeverLeft, "lease_short")
    assert listener.heard == b""


def test_call_is_written_once(listener):
    call = Call(PATIENT)
    sending = Sending(f"http://127.0.0.1:{listener.port}/", call)
    wait_until(lambda: listener.heard.endswith(b"}]"))
    with pytest.raises(RuntimeError, match="A call is one POST"):
        call.begin()
    call.abandon()
    sending.end()


def test_backend_that_promised_nothing_is_waited_for_until_its_lease_ends(monkeypatch):
    call = Call(10, lease_end=uptime() + 100)
    call.hand_over()
    assert call.abandon() is None
    now = uptime() + 100
    monkeypatch.setattr("django_mobilon_sms.gateway.calls.uptime", lambda: now)
    assert proved(call.abandon()) == (OutcomeUnknown, "lost")


def test_call_goes_to_the_backends_that_take_one():
    class Logged(MobilonGateway):
        def send(self, *args, **kwargs):
            return super().send(*args, **kwargs)

    class Old(MobilonGateway):
        def send(self, messages):
            return super().send(messages)

    call, arguments = Call(1), ("http://127.0.0.1/", "", "", 1)
    took = [
        getattr(with_call(backend.send, call), "keywords", {}).get("call")
        for backend in (MobilonGateway(*arguments), Logged(*arguments), Old(*arguments))
    ]
    assert [*took, with_call(MemoryBackend().send, call).__name__] == [call, call, None, "send"]


# One deadline


def test_live_address_behind_two_dead_ones_is_reached_before_the_deadline(monkeypatch):
    with Sandbox() as sandbox, full_port() as first, full_port() as second:
        heard_at = []
        sandbox.on_request = lambda exchange: heard_at.append(uptime())
        resolve_to(monkeypatch, first, second, urlsplit(sandbox.url).port or 0)
        call = Call(6)
        assert Sending(NAMED, call).end() == (type(None), None)
        assert [at < call.deadline for at in heard_at] == [True]


def test_name_server_that_outlasts_the_time_to_connect_proves_that_nothing_left(
    listener, monkeypatch
):
    resolve_to(monkeypatch, listener.port, before=lambda: time.sleep(0.3))
    assert Sending(NAMED, Call(0.5)).end() == NEVER
    assert (listener.heard, listener.has_left.is_set()) == (b"", False)


def test_dripped_headers_end_at_the_deadline():
    with Sandbox(faults=BROKEN_REPLIES) as sandbox:
        sandbox.fault("drip_headers", interval=0.05)
        assert Sending(sandbox.url, Call(1)).end() == (OutcomeUnknown, "timeout")


# It never left


def test_missing_bundle_of_authorities_proves_that_nothing_left(monkeypatch, tmp_path):
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(tmp_path / "gone.pem"))
    sending = Sending("https://127.0.0.1/", Call(PATIENT))
    assert sending.end() == (NeverLeft, "certificate")


@contextmanager
def no_more_files():
    """No file and no socket can be opened."""
    lowest = os.dup(0)
    os.close(lowest)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_socket_that_cannot_be_opened_proves_that_nothing_left(listener):
    with no_more_files():
        sending = Sending(f"http://127.0.0.1:{listener.port}/", Call(PATIENT))
        sending.join(PATIENT)
    assert sending.end() == NEVER


# Interim replies


@pytest.mark.parametrize("codes", [[100], [102], [103], [103, 102, 100, 103], [199]])
def test_good_reply_after_interim_ones_is_read(authority, codes):
    interim = b"".join(b"HTTP/1.1 %d Wait\r\nLink: </a>\r\n\r\n" % code for code in codes)
    certificate = authority.issue_cert("127.0.0.1")
    with https(certificate, answer=lambda objects: interim + take(objects)) as (url, _heard):
        gateway = MobilonGateway(url, "sandbox", "sandbox", PATIENT)
        assert [result.status for result in gateway.send([message()])] == [0]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "http_error"),
        (b"HTTP/1.1 102 Wait\r\n\r\n" * 101, "broken"),
    ],
)
def test_interim_reply_that_is_none_proves_nothing(authority, reply, code):
    certificate = authority.issue_cert("127.0.0.1")
    with https(certificate, answer=lambda objects: reply) as (url, _heard):
        assert Sending(url, Call(PATIENT)).end() == (OutcomeUnknown, code)


# The clock


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no such clock")
def test_uptime_counts_the_time_asleep():
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= uptime() <= time.clock_gettime(time.CLOCK_BOOTTIME)
