"""`manage.py send_sms`: every option, what it prints, and the exit codes."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db import connection
from django.utils.timezone import localtime

from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.management.commands.send_sms import Command, how_it_waits
from django_mobilon_sms.management.stop_signals import stop_on_signals
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now
from tests.support.messages import claim, write
from tests.support.workers import database_url, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]
PROMPT = 60  # seconds: what may take that long is not prompt on any machine
HOUR = timedelta(hours=1)


def statuses():
    return list(SmsMessage.objects.order_by("pk").values_list("status", flat=True))


def sizes(sandbox):
    return [len(post.objects) for post in sandbox.posts]


def asked(sandbox):
    return [len(e.objects) for e in sandbox.exchanges if e.path == "/status/"]


def due_for_refresh():
    SmsBatch.objects.filter(next_check_at__isnull=False).update(next_check_at=db_now() - HOUR)


def everything():
    return [
        list(model.objects.order_by("pk").values())
        for model in (SmsMessage, SmsBatch, GatewayState)
    ]


# Sending


def test_run_without_work_says_so(sandbox, worker):
    assert worker() == (0, "Nothing to do.\n")
    assert sandbox.exchanges == []


def test_due_messages_are_sent_and_counted_by_status(sandbox, worker, settings):
    settings.MOBILON_SMS_SEND_REPLIES = {0: "accepted", 5: "failed"}
    write(3)
    sandbox.fault("changed", changes={"status": 5}, at=1)
    assert worker() == (0, "Messages: 2 accepted, 1 failed\n")


def test_limit_is_the_number_of_messages_sent(sandbox, worker):
    write(5)
    assert worker("--limit=3") == (0, "Messages: 3 accepted\n")
    assert statuses() == ["accepted"] * 3 + ["pending"] * 2


@pytest.mark.parametrize(
    ("setting", "option", "expected"), [(2, [], [2, 2, 1]), (5, ["3"], [3, 2])]
)
def test_batch_size_is_the_settings_or_the_options(
    sandbox, worker, settings, setting, option, expected
):
    settings.MOBILON_SMS_BATCH_SIZE = setting
    write(5)
    assert worker("--concurrency=1", *(f"--batch-size={size}" for size in option)).code == 0
    assert sizes(sandbox) == expected


def test_concurrency_is_the_number_of_requests_at_the_same_time(sandbox, worker):
    write(4)
    together = threading.Barrier(3, timeout=PROMPT)
    sandbox.on_request = lambda exchange: len(sandbox.posts) > 1 and together.wait()
    # The fourth is kept for urgent messages.
    assert worker("--no-refresh", "--batch-size=1", "--concurrency=4").code == 0


def test_concurrency_of_one_sends_one_after_the_other(sandbox, worker):
    write(4)
    under_way, most, lock = [], [], threading.Lock()

    def count(exchange):
        with lock:
            under_way.append(exchange)
            most.append(len(under_way))
        time.sleep(0.02)
        with lock:
            under_way.remove(exchange)

    sandbox.on_request = count
    assert worker("--no-refresh", "--batch-size=1", "--concurrency=1").code == 0
    assert most == [1] * 4


# Statuses


def test_due_statuses_are_checked_after_sending(sandbox, worker):
    write(2)
    worker()
    assert asked(sandbox) == []
    due_for_refresh()
    write()
    assert worker() == (0, "Messages: 1 accepted\nChecked 2 statuses: 2 sent\n")
    assert statuses() == ["sent", "sent", "accepted"]


def test_no_refresh_only_sends(sandbox, worker):
    write()
    worker("--no-refresh")
    due_for_refresh()
    assert worker("--no-refresh") == (0, "Nothing to do.\n")
    assert asked(sandbox) == []


def test_refresh_only_sweeps_and_checks_but_sends_nothing(sandbox, worker):
    write()
    worker()
    due_for_refresh()
    _, lost = write(2)
    batch = SmsBatch.objects.create(worker="elsewhere:1", lease_until=db_now() - HOUR)
    claim(batch, lost)
    assert worker("--refresh-only") == (
        4,
        "Messages: 1 unknown\nChecked 1 status: 1 sent\n"
        "No outcome was recorded before the lease ended. Decide about the messages in the admin,"
        " and find out what ended the worker.\n",
    )
    assert statuses() == ["sent", "pending", "unknown"]
    assert sizes(sandbox) == [1]


# Dry runs


def test_dry_run_counts_but_writes_and_requests_nothing(sandbox, worker):
    write(3)
    worker("--limit=1")
    due_for_refresh()
    batch = SmsBatch.objects.create(worker="elsewhere:1", lease_until=db_now() - HOUR)
    claim(batch, SmsMessage.objects.latest("pk"))
    write(2, send_at=datetime.fromisoformat("2900-01-01T00:00+00:00"))
    before, heard = everything(), len(sandbox.exchanges)
    plan = {"due": 1, "due_for_refresh": 1, "lost_batches": 1, "unapplied_batches": 0}
    lines = "".join(f"{name}: {count}\n" for name, count in plan.items())
    assert worker("--dry-run") == (0, lines)
    code, output = worker("--dry-run", "--json")
    assert (code, json.loads(output)) == (0, plan)
    assert (everything(), len(sandbox.exchanges)) == (before, heard)


def test_dry_run_on_a_fresh_database_writes_no_row(worker):
    worker("--dry-run")
    assert everything() == [[], [], []]


# JSON

QUIET = {
    "halted": "",
    "resumes_at": None,
    "claimed": 0,
    "posts": 0,
    "statuses": {},
    "checked": 0,
    "reported": {},
    "failed": False,
    "exit_code": 0,
    "error_code": "",
    "http_code": None,
    "errors": {},
}


def test_json_of_a_whole_run(sandbox, worker):
    code, output = worker("--json")
    assert (code, json.loads(output)) == (0, QUIET)
    write(3)
    worker("--limit=1")
    due_for_refresh()
    code, output = worker("--json", "--batch-size=1")
    assert output.count("\n") == 1
    assert (code, json.loads(output)) == (
        0,
        QUIET
        | {
            "claimed": 2,
            "posts": 2,
            "statuses": {"accepted": 2},
            "checked": 1,
            "reported": {"sent": 1},
        },
    )


def test_json_of_a_run_with_trouble(sandbox, worker):
    write(2)
    sandbox.fault("http", code=500)
    code, output = worker("--json", "--batch-size=1")
    trouble = {"claimed": 1, "posts": 1, "statuses": {"unknown": 1}, "exit_code": 4}
    reason = {"error_code": "http_error", "http_code": 500}
    expected = QUIET | trouble | reason | {"errors": {"http_error": 1}}
    assert (code, json.loads(output)) == (4, expected)
    code, output = worker("--json")
    found = json.loads(output)
    until = datetime.fromisoformat(found.pop("resumes_at"))
    assert until == GatewayState.objects.current().blocked_until
    del found["statuses"], found["reported"]
    rest = {name: QUIET[name] for name in ("claimed", "posts", "checked", "failed", "errors")}
    assert (code, found) == (3, rest | reason | {"halted": "blocked", "exit_code": 3})


# Halts


@pytest.mark.parametrize("options", [[], ["--no-refresh"], ["--refresh-only"]])
def test_switched_off_app_sends_no_request_and_says_so(sandbox, worker, settings, options):
    write(2)
    worker("--limit=1")
    due_for_refresh()
    heard = len(sandbox.exchanges)
    settings.MOBILON_SMS_ENABLED = False
    code, output = worker(*options)
    assert code == 0
    assert "Sending is switched off: MOBILON_SMS_ENABLED is False." in output
    assert (len(sandbox.exchanges), statuses()) == (heard, ["accepted", "pending"])


def test_pause_holds_sending_and_not_the_statuses(sandbox, worker):
    write(2)
    worker("--limit=1")
    due_for_refresh()
    GatewayState.objects.pause(by=None)
    assert worker() == (
        0,
        "Sending is paused. Resume it in the admin.\nChecked 1 status: 1 sent\n",
    )
    assert statuses() == ["sent", "pending"]


def test_blocked_gateway_is_named_with_the_time_of_the_next_try(sandbox, worker):
    write()
    until = GatewayState.objects.current().now + timedelta(minutes=30)
    GatewayState.objects.update(blocked_until=until)
    local = localtime(until)
    shown = f"{local:%m/%d/%Y %H:%M}"
    assert worker() == (3, f"The gateway had trouble; the next try is at {shown}.\n")
    assert (statuses(), sandbox.exchanges) == (["pending"], [])


def test_wrong_password_is_explained_by_the_first_run_and_by_those_that_wait(
    sandbox, worker, settings
):
    settings.MOBILON_SMS_PASSWORD = "wrong"
    write(10)
    reason = (
        "The gateway refused the user name or the password. HTTP 401."
        " Check MOBILON_SMS_USERNAME and MOBILON_SMS_PASSWORD, and restart the worker.\n"
    )
    assert worker() == (1, "Messages: 10 pending\n" + reason)
    until = f"{localtime(GatewayState.objects.get().blocked_until):%m/%d/%Y %H:%M}"
    halted = f"The gateway had trouble; the next try is at {until}.\n"
    assert worker() == (3, halted + reason)
    settings.MOBILON_SMS_PASSWORD = "sandbox"
    GatewayState.objects.try_now()
    assert worker() == (0, "Messages: 10 accepted\n")
    assert GatewayState.objects.values_list("error_code", "http_code").get() == ("", None)


@pytest.mark.parametrize("option", ["--refresh-only", "--no-refresh"])
def test_wrong_setting_is_one_error_before_anything_is_done(sandbox, worker, settings, option):
    write()
    settings.MOBILON_SMS_TIMEOUT = "20"
    with pytest.raises(CommandError, match=r"^\(E007\) MOBILON_SMS_TIMEOUT must be [^\n]*$"):
        worker(option)
    assert (statuses(), sandbox.exchanges) == (["pending"], [])


# Wrong usage


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--limit=0"], "--limit"),
        (["--limit=-1"], "--limit"),
        (["--limit=x"], "--limit"),
        (["--limit=1.5"], "--limit"),
        (["--limit"], "--limit"),
        (["--batch-size=0"], "--batch-size"),
        (["--batch-size=101"], "--batch-size"),
        (["--concurrency=0"], "--concurrency"),
        (["--interval=0"], "--interval"),
        (["--interval=-1"], "--interval"),
        (["--interval=nan"], "--interval"),
        (["--interval=inf"], "--interval"),
        (["--interval=soon"], "--interval"),
        (["--no-refresh", "--refresh-only"], "--refresh-only"),
        (["--bogus"], "--bogus"),
        (["message"], "message"),
    ],
)
def test_wrong_usage_is_named_and_exits_2(sandbox, capsys, options, named):
    write()
    with pytest.raises(SystemExit) as raised:
        Command().run_from_argv(["manage.py", "send_sms", *options])
    assert raised.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("manage.py send_sms: error: ")
    assert named in last
    assert (statuses(), sandbox.exchanges) == (["pending"], [])


# Real processes


def start(
    *options: str, stderr: int = subprocess.PIPE, **environment: str
) -> subprocess.Popen[str]:
    """Start `send_sms` as cron does, by default on the test's database."""
    return subprocess.Popen(
        [sys.executable, "-m", "django", "send_sms", "--settings=tests.settings", *options],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url(), "PYTHONUNBUFFERED": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def run(*options: str, **environment: str) -> tuple[int, str, str]:
    process = start(*options, **environment)
    output, errors = process.communicate(timeout=PROMPT)
    return process.returncode, output, errors


def test_process_sends_and_shows_no_progress_bar_where_there_is_no_terminal(sandbox):
    write(2)
    assert run(MOBILON_SMS_BASE_URL=sandbox.url) == (0, "Messages: 2 accepted\n", "")


def test_process_ends_with_the_code_of_its_run(sandbox):
    write()
    sandbox.fault("http", code=413)
    code, output, errors = run(MOBILON_SMS_BASE_URL=sandbox.url)
    assert (code, output) == (
        3,
        "Messages: 1 pending\n"
        "The gateway refused the whole request. HTTP 413. Check MOBILON_SMS_BASE_URL, and ask the"
        " vendor about the HTTP code.\n",
    )
    assert "Traceback" not in errors
    assert run("--limit=0")[0] == 2


@pytest.mark.parametrize(("options", "shown"), [((), True), (("--json",), False)])
def test_progress_bar_is_shown_on_a_terminal(sandbox, options, shown):
    write(3)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = start(*options, stderr=theirs, MOBILON_SMS_BASE_URL=sandbox.url)
    process.communicate(timeout=PROMPT)
    os.write(theirs, b"end")
    seen = b""
    while not seen.endswith(b"end"):
        seen += os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    assert (b"0/3" in seen and b"SMS" in seen) is shown
    assert shown or seen == b"end"


NO_TABLES = (
    "CommandError: The database has no tables for messages. Run: manage.py migrate mobilon_sms\n"
)


@pytest.mark.parametrize("options", [[], ["--refresh-only"], ["--dry-run"], ["--json"]])
def test_database_without_tables_is_one_line(tmp_path, options):
    database = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    assert run(*options, DATABASE_URL=database) == (1, "", NO_TABLES)


def test_database_that_cannot_be_reached_is_one_line(tmp_path):
    database = f"sqlite:///{tmp_path / 'no' / 'such.sqlite3'}"
    line = "CommandError: The database cannot be reached (OperationalError).\n"
    assert run(DATABASE_URL=database) == (1, "", line)


def test_wrong_setting_is_logged_and_printed_in_one_line():
    code, output, errors = run(MOBILON_SMS_BASE_URL="http://sms.example/")
    assert (code, output) == (1, "")
    logged, printed = errors.splitlines()
    assert logged.startswith("run.configuration error=ImproperlyConfigured: (E001) ")
    assert printed.startswith("CommandError: (E001) MOBILON_SMS_BASE_URL must be ")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_loop_sends_new_messages_and_ends_by_a_signal(sandbox, number):
    process = start("--loop", "--interval=0.05", MOBILON_SMS_BASE_URL=sandbox.url)
    for count in (1, 2):
        write()
        wait_until(lambda n=count: statuses() == ["accepted"] * n)
    process.send_signal(number)
    output, errors = process.communicate(timeout=PROMPT)
    hears = connection.vendor == "postgresql"
    assert (process.returncode, errors) == (0, how_it_waits(0.05, hears=hears) + "\n")
    # One run takes both where the second was written before it had ended.
    assert sum(map(int, re.findall(r"^Messages: (\d) accepted$", output, re.M))) == 2
    assert "Nothing to do" not in output


@pytest.mark.slow
def test_signal_ends_the_loop_at_once_between_two_runs(sandbox):
    write()
    process = start("--loop", "--interval=3600", MOBILON_SMS_BASE_URL=sandbox.url)
    assert process.stdout.readline() == "Messages: 1 accepted\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PROMPT)
    assert process.returncode == 0


@pytest.mark.slow
def test_stopped_process_records_what_is_under_way(sandbox):
    write(4)
    sandbox.latency = 1
    process = start("--loop", "--batch-size=2", MOBILON_SMS_BASE_URL=sandbox.url)
    wait_until(lambda: sandbox.posts)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=PROMPT)[0] == "Messages: 2 accepted\n"
    assert (process.returncode, statuses()) == (0, ["accepted"] * 2 + ["pending"] * 2)


@pytest.mark.slow
def test_second_signal_ends_the_process_as_usual(sandbox):
    write()
    sandbox.latency = 600
    process = start(MOBILON_SMS_BASE_URL=sandbox.url)
    wait_until(lambda: sandbox.posts)
    deadline = time.monotonic() + PROMPT
    while process.poll() is None:
        assert time.monotonic() < deadline
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    process.communicate()
    assert (process.returncode, statuses()) == (-signal.SIGTERM, ["sending"])


@pytest.mark.slow
def test_trouble_with_the_gateway_does_not_end_the_loop(sandbox):
    write(2)
    sandbox.fault("http", code=500)
    options = ("--loop", "--interval=0.05", "--batch-size=1", "--json")
    process = start(*options, MOBILON_SMS_BASE_URL=sandbox.url)
    codes = [json.loads(process.stdout.readline())["exit_code"] for _ in range(3)]
    GatewayState.objects.try_now()
    wait_until(lambda: statuses() == ["unknown", "accepted"])
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PROMPT)
    assert (codes, process.returncode) == ([4, 3, 3], 0)


def test_message_that_became_unknown_earlier_is_no_trouble_now(worker):
    write()
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    assert worker() == (0, "Nothing to do.\n")


def test_signal_at_any_step_of_the_wait_ends_it():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    former = sys.gettrace()

    def stopped_at(step):
        steps = itertools.count(1)

        def trace(frame, event, arg):
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGTERM)
            return trace

        with stop_on_signals() as stop:
            sys.settrace(trace)
            try:
                stop.wait(0.01)
            finally:
                sys.settrace(former)
        return stop.is_set()

    assert [stopped_at(step) for step in range(1, 6)] == [True] * 5
    assert {number: signal.getsignal(number) for number in before} == before
