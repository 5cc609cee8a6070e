"""Threads and connections that status queries cost a process: all are given back."""

from __future__ import annotations

import gc
import itertools
from pathlib import Path

import pytest

from django_mobilon_sms.gateway import MobilonGateway
from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from django_mobilon_sms.sandbox import Reply, Sandbox
from tests.support.messages import write
from tests.support.workers import wait_until

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n"


def drip(start: bytes, byte: bytes):
    return lambda case: Reply(200, itertools.chain([start], itertools.repeat(byte)), interval=0.05)


@pytest.fixture
def gateway(settings):
    faults = {"headers": drip(HEAD + b"X-Long: ", b"x"), "body": drip(HEAD + b"\r\n[", b" ")}
    settings.MOBILON_SMS_TIMEOUT = 0.5
    with Sandbox(faults=faults) as server:
        settings.MOBILON_SMS_BASE_URL = server.url
        yield server


def held() -> tuple[int, int]:
    """The threads and the descriptors of this process, those of the gateway included."""
    process = Path("/proc/self")
    return len(list((process / "task").iterdir())), len(list((process / "fd").iterdir()))


def refresh(worker) -> int:
    SmsMessage.objects.all().change(status="accepted")
    SmsBatch.objects.update(next_check_at=db_now())
    return worker("--refresh-only").code


@pytest.fixture
def before(gateway, worker):
    """What is held once the first queries are behind, because a process keeps what they opened."""
    write()
    worker("--no-refresh")
    refresh(worker)
    gc.collect()
    return held()


@pytest.mark.parametrize("fault", ["headers", "body"])
def test_dripped_replies_are_given_up_with_their_thread_and_connection(
    gateway, worker, before, fault
):
    for _ in range(3):
        gateway.fault(fault, path="/status/")
        assert refresh(worker) == 3
    wait_until(lambda: all(now <= then for now, then in zip(held(), before)))


class Remembered(MobilonGateway):
    """A gateway that the project keeps, so that nothing but the refresh closes it."""

    made: list[Remembered] = []

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.made.append(self)


def test_refresh_keeps_no_connection(gateway, worker, before, settings):
    settings.MOBILON_SMS_BACKEND = f"{__name__}.Remembered"
    try:
        assert [refresh(worker) for _ in range(3)] == [0] * 3
        wait_until(lambda: all(now <= then for now, then in zip(held(), before)))
    finally:
        Remembered.made.clear()
