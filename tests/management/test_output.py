"""Output that cannot be written: the disk is full, the reader is gone, the stream is closed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from django.core.management import call_command

from django_mobilon_sms.management.output import Output
from django_mobilon_sms.models import SmsMessage
from tests.support.messages import write
from tests.support.workers import PATIENCE, database_url, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]


def full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def reader_gone() -> int:
    ours, theirs = os.pipe()
    os.close(ours)
    return theirs


#: Makes the descriptor of both streams, or none where the process has them closed.
UNWRITABLE: list[Callable[[], int] | None] = [full_disk, reader_gone, None]
NAMES = ["full_disk", "reader_gone", "closed"]


@contextmanager
def process(
    make: Callable[[], int] | None, *words: str, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command whose output and errors cannot be written."""
    command = [sys.executable, "-m", "django", *words, "--settings=tests.settings"]
    if make is None:
        command, output = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command], subprocess.DEVNULL
    else:
        output = make()
    environment = os.environ | {"DATABASE_URL": database_url()} | environment
    started = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    if make is not None:
        os.close(output)
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):
            started.kill()
        started.wait(PATIENCE)


def statuses() -> list[str]:
    return list(SmsMessage.objects.order_by("pk").values_list("status", flat=True))


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("make", UNWRITABLE, ids=NAMES)
def test_run_ends_with_the_code_of_its_work(sandbox, make, unbuffered):
    options = {"MOBILON_SMS_BASE_URL": sandbox.url, "PYTHONUNBUFFERED": unbuffered}
    write(2)
    with process(make, "send_sms", "--no-refresh", **options) as run:
        assert run.wait(PATIENCE) == 0
    assert statuses() == ["accepted"] * 2
    write()
    sandbox.fault("http", code=500)
    with process(make, "send_sms", "--no-refresh", "--json", **options) as run:
        assert run.wait(PATIENCE) == 4
    assert statuses() == ["accepted"] * 2 + ["unknown"]


@pytest.mark.parametrize(
    ("words", "environment", "code"),
    [
        (["send_sms", "--dry-run"], {}, 0),
        (["send_sms"], {"MOBILON_SMS_BASE_URL": "http://sms.example/"}, 1),
        (["send_sms", "--limit=0"], {}, 2),
        (["send_sms", "--help"], {}, 0),
        (["hold_sms", "--no-input"], {}, 0),
        (["purge_sms", "--older-than=1d"], {}, 0),
        (["sms_status", "--fail-if-unknown"], {}, 4),
    ],
)
def test_every_command_ends_with_its_code(words, environment, code):
    write()
    call_command("hold_sms", "--no-input", stdout=io.StringIO())
    with process(full_disk, *words, **environment) as run:
        assert run.wait(PATIENCE) == code


@pytest.mark.slow
@pytest.mark.parametrize("make", UNWRITABLE, ids=NAMES)
def test_loop_goes_on(sandbox, make):
    options = ("--loop", "--interval=0.05", "--no-refresh")
    with process(make, "send_sms", *options, MOBILON_SMS_BASE_URL=sandbox.url) as service:
        for count in (1, 2, 3):
            write()
            wait_until(lambda n=count: statuses() == ["accepted"] * n)
        service.send_signal(signal.SIGTERM)
        assert service.wait(PATIENCE) == 0


def test_stream_that_a_caller_gives_may_fail_too(sandbox):
    write()
    closed = io.StringIO()
    closed.close()
    call_command("send_sms", stdout=closed, stderr=closed)
    assert statuses() == ["accepted"]


def test_output_is_written_again_when_the_disk_has_room():
    class Disk(io.StringIO):
        full = True

        def write(self, text):
            if self.full:
                raise OSError(28, "No space left on device")
            return super().write(text)

    disk = Disk()
    output = Output(disk)
    output.write("one\n")
    disk.full = False
    output.write("two\n")
    assert disk.getvalue() == "two\n"


def test_characters_that_a_stream_cannot_encode_are_escaped():
    stream = io.TextIOWrapper(raw := io.BytesIO(), encoding="ascii")
    Output(stream).write("Да, 1\n")
    assert raw.getvalue() == b"\\u0414\\u0430, 1\n"
