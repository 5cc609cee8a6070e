"""The fault table: what each answer of a gateway, or none, proves about two messages.

Each row goes through the real command over a real socket and is asserted whole: the exit code,
the journal's line, each message's status, error code and attempts, the breaker's failures and
wait, and that nothing which may have gone out is POSTed again.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
import trustme
from django.core.management import CommandError
from django.db import connection

from django_mobilon_sms.choices import ErrorCode, Outcome, Status, WorkerKind
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.sandbox.broken_replies import FAULTS
from django_mobilon_sms.worker import beat, request_threads
from tests.management.test_output import NAMES, UNWRITABLE, process
from tests.support.broken_replies import BROKEN_REPLIES
from tests.support.commit_proxy import CommitProxy
from tests.support.cron import Clock
from tests.support.messages import write
from tests.support.ports import free_port, full_port, https, resolve_to
from tests.support.workers import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
on_a_server = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server")


class End(NamedTuple):
    """What one run comes to. ``wait`` is how long the breaker then lets nothing be claimed."""

    exit_code: int
    outcome: str
    error_code: str
    http_code: int | None
    messages: list[tuple[str, str, int]]
    failures: int
    wait: timedelta | None


def reached(exit_code):
    """What is there now, of a run that ended with this exit code."""
    batch = SmsBatch.objects.get()
    assert batch.applied_at is not None
    state = GatewayState.objects.current()
    rows = SmsMessage.objects.order_by("pk").values_list("status", "error_code", "attempts")
    return End(
        exit_code,
        batch.outcome,
        batch.error_code,
        batch.http_code,
        list(rows),
        state.failures,
        state.blocked_until and state.blocked_until - state.changed_at,
    )


def answered(*messages, exit_code=0):
    """An array came; ``messages`` are status and error code of each."""
    trusted = any(status != Status.UNKNOWN for status, _error in messages)
    ends = [(status, error, 0) for status, error in messages]
    failures, wait = (0, None) if trusted else (1, MINUTE)
    return End(exit_code, Outcome.ANSWERED, "", None, ends, failures, wait)


ACCEPTED = answered(("accepted", ""), ("accepted", ""))


def unproved(*errors):
    """An array came, and says nothing to believe of any message."""
    return answered(*(("unknown", error) for error in errors), exit_code=4)


def not_proved(error, http_code=None, *, exit_code=4):
    """They may have gone out."""
    ends = [("unknown", error, 0)] * 2
    return End(exit_code, Outcome.NO_PROOF, error, http_code, ends, 1, MINUTE)


def refused(error, http_code, *, exit_code=3, attempts=1, wait=MINUTE):
    """The gateway took none of them."""
    ends = [("pending", error, attempts)] * 2
    return End(exit_code, Outcome.REFUSED, error, http_code, ends, 1, wait)


def never_left(error, *, exit_code=3):
    """Nothing was written to the gateway."""
    ends = [("pending", error, 0)] * 2
    return End(exit_code, Outcome.NEVER_LEFT, error, None, ends, 1, MINUTE)


@pytest.fixture
def send(sandbox, worker, settings):
    """Sends messages into trouble, and proves of every end that nothing goes out twice."""

    def send(fault=None, *, at=None, count=2, **options):
        if fault:
            sandbox.fault(fault, **options)
        settings.MOBILON_SMS_BASE_URL = at or sandbox.url
        write(count)
        end = reached(worker("--no-refresh").code)
        assert len(sandbox.posts) == (0 if at else 1)
        settings.MOBILON_SMS_BASE_URL = sandbox.url
        prove_that_nothing_goes_out_twice(sandbox, worker)
        return end

    return send


def prove_that_nothing_goes_out_twice(sandbox, worker):
    """Later runs send what waits, once, and touch nothing else, though the gateway is well."""
    waiting = SmsMessage.objects.filter(status=Status.PENDING)
    left = {str(guid) for guid in waiting.values_list("guid", flat=True)}
    others = SmsMessage.objects.exclude(status=Status.PENDING).order_by("pk")
    before, posts = list(others.values()), len(sandbox.posts)
    if GatewayState.objects.current().blocked_until:
        worker("--no-refresh")
        assert len(sandbox.posts) == posts
    waiting.change(due_at="2020-01-01T00:00Z")
    GatewayState.objects.try_now()
    worker("--no-refresh")
    later = [each["guid"] for post in sandbox.posts[posts:] for each in post.objects]
    assert sorted(later) == sorted(left)
    accepted = SmsMessage.objects.filter(guid__in=left, status=Status.ACCEPTED)
    assert accepted.count() == len(left)
    assert list(SmsMessage.objects.exclude(guid__in=left).order_by("pk").values()) == before
    assert all(sandbox.copies(guid) == 1 for guid in left)


def rows(*fields):
    return list(SmsMessage.objects.order_by("pk").values_list(*fields))


# It was accepted


def test_message_goes_out_as_it_was_written_and_the_journal_keeps_the_answer(sandbox, worker):
    [message] = write()
    assert worker("--no-refresh") == (0, "Messages: 1 accepted\n")
    [taken] = sandbox.messages
    assert (taken.guid, taken.number, taken.text, taken.source) == (
        str(message.guid),
        "89135292926",
        "Ваш заказ готов",
        "89234560000",
    )
    assert rows("status", "gateway_id", "gateway_status") == [("accepted", taken.id, 0)]
    [batch] = SmsBatch.objects.all()
    assert (batch.guids, batch.reply) == (
        [str(message.guid)],
        [[str(message.guid), 0, taken.id]],
    )


ODD_BUT_CLEAR = {
    "shuffled": {},
    "doubled": {},
    "strangers": {},
    "extra_keys": {},
    "bad_date": {},
    "no_date": {},
    "bom": {},
    "early_hints": {},
    "late": {"seconds": 0.2},
}


@pytest.mark.parametrize("fault", ODD_BUT_CLEAR)
def test_odd_but_clear_answer_is_accepted(sandbox, send, fault):
    assert send(fault, **ODD_BUT_CLEAR[fault]) == ACCEPTED
    ids = {message.guid: message.id for message in sandbox.messages}
    assert rows("gateway_id") == [(ids[str(guid)],) for (guid,) in rows("guid")]


@pytest.mark.parametrize("dashes", [True, False])
def test_guid_in_capitals_is_the_same_guid(send, dashes):
    assert send("upper_guid", dashes=dashes) == ACCEPTED


@pytest.mark.parametrize("code", [200, 201, 202, 203, 206, 299])
def test_array_is_accepted_under_every_code_of_success(send, code):
    assert send("code", code=code) == ACCEPTED


def test_code_that_is_not_mapped_is_accepted_with_an_id_and_kept(send):
    assert send("status", value=7) == ACCEPTED
    assert rows("gateway_status") == [(7,), (7,)]


def test_code_that_is_mapped_to_failed_fails_its_messages(send, settings):
    settings.MOBILON_SMS_SEND_REPLIES = {0: "accepted", 5: "failed"}
    assert send("status", value=5) == answered(("failed", "rejected"), ("failed", "rejected"))
    assert rows("gateway_status") == [(5,), (5,)]


def test_code_that_is_mapped_to_failed_needs_no_id(send, settings):
    settings.MOBILON_SMS_SEND_REPLIES = {0: "accepted", 5: "failed"}
    failed = answered(("failed", "rejected"), ("failed", "rejected"))
    assert send("changed", changes={"status": 5}, without=["id"]) == failed


# The answer proves nothing about a message

UNPROVED = {
    "no_id": ErrorCode.NO_ID,
    "null_id": ErrorCode.NO_ID,
    "int_id": ErrorCode.WRONG_TYPES,
    "long_id": ErrorCode.WRONG_TYPES,
    "string_status": ErrorCode.WRONG_TYPES,
    "true_status": ErrorCode.WRONG_TYPES,
    "false_status": ErrorCode.WRONG_TYPES,
    "float_status": ErrorCode.WRONG_TYPES,
    "contradictory": ErrorCode.CONTRADICTION,
    "same_id": ErrorCode.CONTRADICTION,
    "other_id": ErrorCode.CONTRADICTION,
    "other_guid": ErrorCode.NO_ANSWER,
    "nested": ErrorCode.NO_ANSWER,
}


@pytest.mark.parametrize("fault", UNPROVED)
def test_answer_that_proves_nothing_leaves_messages_unknown(send, fault):
    assert send(fault) == unproved(UNPROVED[fault], UNPROVED[fault])


@pytest.mark.parametrize("value", [None, "0", True, 0.0, [], {}, 2**31, -(2**40)])
def test_code_of_another_type_proves_nothing(send, value):
    assert send("status", value=value) == unproved("wrong_types", "wrong_types")


@pytest.mark.parametrize("code", [0, 7])
def test_code_without_an_id_proves_nothing(send, code):
    ends = unproved("no_id", "no_id")
    assert send("changed", changes={"status": code}, without=["id"]) == ends
    assert rows("gateway_status") == [(code,), (code,)]


@pytest.mark.parametrize("key", ["guid", "status"])
def test_object_without_its_guid_or_its_code_proves_nothing(send, key):
    error = {"guid": ErrorCode.NO_ANSWER, "status": ErrorCode.WRONG_TYPES}[key]
    assert send("changed", without=[key]) == unproved(error, error)


def test_message_that_the_answer_leaves_out_is_unknown_and_the_other_one_accepted(send):
    ends = answered(("accepted", ""), ("unknown", "no_answer"), exit_code=4)
    assert send("partial", keep=1) == ends


def test_objects_that_contradict_each_other_leave_their_message_unknown(send):
    expected = unproved("contradiction", "contradiction")
    assert send("contradictory", changes={"id": "another"}) == expected


def test_id_that_an_older_message_has_is_accepted_like_any_other(sandbox, worker):
    """The page does not say that ids are never used again; a report counts with its guid too."""
    [old] = write()
    worker("--no-refresh")
    [(given,)] = rows("gateway_id")
    SmsMessage.objects.all().change(accepted_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
    sandbox.fault("changed", changes={"id": given})
    [new] = write()
    assert worker("--no-refresh").code == 0
    assert rows("status", "gateway_id") == [("accepted", given)] * 2
    sandbox.set_status(given, 1, guid=str(new.guid))
    SmsBatch.objects.update(next_check_at="2020-01-01T00:00Z")
    worker()
    assert {str(guid): status for guid, status in rows("guid", "status")} == {
        str(old.guid): "accepted",
        str(new.guid): "sent",
    }
    assert [len(post.objects) for post in sandbox.posts] == [1, 1]


# It never left


def test_connection_that_is_refused_leaves_messages_pending(send):
    assert send(at=f"http://127.0.0.1:{free_port()}/") == never_left("connection")


def test_host_that_has_no_address_leaves_messages_pending(send):
    assert send(at="https://gateway.invalid/") == never_left("connection")


def test_connection_that_is_not_made_in_time_leaves_messages_pending(send, settings):
    settings.MOBILON_SMS_TIMEOUT = 0.5
    with full_port() as port:
        sent = send(at=f"http://127.0.0.1:{port}/")
    assert sent == never_left("connection")


@pytest.mark.parametrize("host", ["127.0.0.1", "other.example"])
def test_certificate_of_an_unknown_authority_leaves_messages_pending(send, host):
    with https(trustme.CA().issue_cert(host)) as (url, heard):
        assert send(at=url) == never_left("certificate", exit_code=1)
    assert heard == []


def test_certificate_for_another_host_leaves_messages_pending(send, authority):
    with https(authority.issue_cert("other.example")) as (url, heard):
        assert send(at=url) == never_left("certificate", exit_code=1)
    assert heard == []


# TLS


def test_trusted_certificate_is_spoken_to(send, authority):
    with https(authority.issue_cert("127.0.0.1")) as (url, _heard):
        assert send(at=url) == ACCEPTED


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x00\x05junk!", b"junk"])
def test_unencrypted_garbage_after_a_whole_answer_takes_nothing_from_it(send, authority, garbage):
    certificate = authority.issue_cert("127.0.0.1")
    with https(certificate, unencrypted=garbage) as (url, _heard):
        assert send(at=url) == ACCEPTED


def test_connection_that_is_closed_in_the_handshake_leaves_messages_pending(send):
    with https(None) as (url, _heard):
        assert send(at=url) == never_left("connection")


# It was refused

REFUSED = [
    refused("credentials", 401, attempts=0, exit_code=1),
    refused("credentials", 407, attempts=0, exit_code=1),
    refused("payment", 402, attempts=0),
    refused("rate_limited", 429, attempts=0),
    refused("http_refused", 403, exit_code=1),
    refused("http_refused", 404, exit_code=1),
    refused("http_refused", 405, exit_code=1),
    refused("http_refused", 411),
    refused("http_refused", 413),
    refused("http_refused", 415),
]


@pytest.mark.parametrize("end", REFUSED, ids=lambda end: f"{end.http_code}")
def test_code_that_refuses_the_request_leaves_messages_pending(send, end):
    assert send("http", code=end.http_code) == end


@pytest.mark.parametrize("code", [400, 422])
def test_bad_request_fails_a_message_that_was_alone(send, code):
    ends = [("failed", "rejected", 0)]
    expected = End(3, Outcome.REFUSED, "rejected", code, ends, 1, MINUTE)
    assert send("http", code=code, count=1) == expected


@pytest.mark.parametrize("code", [400, 422])
@pytest.mark.parametrize("taken", [False, True])
def test_bad_request_leaves_several_messages_unknown(send, code, taken):
    assert send("http", code=code, taken=taken) == not_proved("http_error", code)


@pytest.mark.parametrize("code", [400, 401, 403, 413, 422, 429])
def test_no_refusal_is_believed_where_the_setting_is_empty(send, settings, code):
    settings.MOBILON_SMS_REFUSED_HTTP_CODES = []
    assert send("http", code=code, taken=True) == not_proved("http_error", code)


def test_refused_message_that_was_alone_waits_longer_each_time(sandbox, worker):
    write()
    for attempts, minutes in [(1, 1), (2, 2), (3, 4)]:
        sandbox.fault("http", code=413)
        SmsMessage.objects.all().change(due_at="2020-01-01T00:00Z")
        GatewayState.objects.try_now()
        assert worker("--no-refresh").code == 3
        [(count, due_at)] = rows("attempts", "due_at")
        closed_at = SmsBatch.objects.latest("created_at").closed_at
        assert count == attempts
        assert abs(due_at - closed_at - timedelta(minutes=minutes)) < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("120", 120),
        ("1", 1),
        ("0", 1),
        ("3600", 3600),
        ("999999", 3600),
        ("9" * 40, 60),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 60),
        ("soon", 60),
        ("-5", 60),
        ("1.5", 60),
        ("", 60),
    ],
)
def test_retry_after_is_heeded_within_an_hour(send, retry_after, seconds):
    expected = refused("rate_limited", 429, attempts=0, wait=timedelta(seconds=seconds))
    assert send("http", code=429, headers={"Retry-After": retry_after}) == expected


def test_retry_after_may_be_a_date(send):
    later = datetime.now(timezone.utc) + timedelta(minutes=50)
    end = send("http", code=429, headers={"Retry-After": format_datetime(later, usegmt=True)})
    assert timedelta(minutes=2) < end.wait <= timedelta(minutes=50)
    assert end._replace(wait=MINUTE) == refused("rate_limited", 429, attempts=0)


@pytest.mark.parametrize(
    ("code", "expected"),
    [(413, refused("http_refused", 413)), (503, not_proved("http_error", 503))],
)
def test_retry_after_of_another_code_is_not_heeded(send, code, expected):
    assert send("http", code=code, headers={"Retry-After": "1200"}) == expected


# Nobody knows


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("code", [300, 301, 302, 303, 304, 305, 307, 308, 399])
def test_redirect_is_not_followed_and_proves_nothing(sandbox, send, code, taken):
    elsewhere = {"Location": sandbox.url + "send/"}
    sent = send("http", code=code, headers=elsewhere, taken=taken)
    assert sent == not_proved("redirect", code, exit_code=1)


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize(
    "code",
    [
        *(406, 408, 409, 410, 412, 414, 416, 417, 418, 421, 423, 424, 425, 426, 428, 431, 451, 499),
        *(500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 599, 600, 999),
    ],
)
def test_any_other_code_proves_nothing(send, code, taken):
    assert send("http", code=code, taken=taken) == not_proved("http_error", code)


NO_WHOLE_ANSWER = {
    "close_unread": not_proved("broken"),
    "reset_unread": not_proved("broken"),
    "close_after_read": not_proved("broken"),
    "reset_after_read": not_proved("broken"),
    "not_http": not_proved("broken"),
    "half_status_line": not_proved("broken"),
    "half_header": not_proved("bad_reply", 200),
    "long_header": not_proved("broken"),
    "many_headers": not_proved("broken"),
    "cut_body": not_proved("broken"),
    "cut_chunked": not_proved("broken"),
    "bad_chunk": not_proved("broken"),
    "cut_without_length": not_proved("bad_reply", 200),
}


@pytest.mark.parametrize("fault", NO_WHOLE_ANSWER)
def test_answer_that_breaks_off_proves_nothing(send, fault):
    assert send(fault) == NO_WHOLE_ANSWER[fault]


UNREADABLE = (
    *("bad_gzip", "gzip_bomb", "not_json", "html", "empty", "null", "object", "charset", "deep"),
    *("huge_int", "nan", "duplicate_keys", "five_megabytes", "endless"),
)


@pytest.mark.parametrize("fault", UNREADABLE)
def test_answer_that_is_no_strict_array_proves_nothing(send, fault):
    assert send(fault) == not_proved("bad_reply", 200)


BODIES = {
    "html": b"<!DOCTYPE html><title>OK</title>",
    "nothing": b"",
    "null": b"null",
    "object": b'{"status": 0}',
    "BOM alone": b"\xef\xbb\xbf",
    "another charset": '[{"comment": "принято"}]'.encode("cp1251"),
    "100,000 brackets": b"[" * 100_000 + b"]" * 100_000,
    "5,000 digits": b"[%b]" % (b"9" * 5_000),
    "NaN": b"[NaN]",
    "duplicate keys": b'[{"a": 1, "a": 1}]',
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("code", [201, 202])
def test_code_of_success_makes_no_answer_of_another_body(send, code, body):
    assert send("body", body=BODIES[body], code=code) == not_proved("bad_reply", code)


@pytest.mark.parametrize("body", ["[]", "[[]]", "[null]", '[{"guid": 5}]', "\ufeff[]"])
@pytest.mark.parametrize("code", [200, 201, 202])
def test_array_that_names_no_message_of_ours_proves_nothing(send, code, body):
    assert send("body", body=body, code=code) == unproved("no_answer", "no_answer")


@pytest.mark.parametrize("body", ["[]", *BODIES.values()], ids=["array", *BODIES])
def test_code_of_no_content_proves_nothing_whatever_follows(send, body):
    assert send("body", body=body, code=204) == not_proved("bad_reply", 204)


@pytest.mark.parametrize("fault", ["hang", "drip_headers", "drip_body"])
def test_answer_that_outlasts_the_timeout_proves_nothing(send, settings, fault):
    settings.MOBILON_SMS_TIMEOUT = 0.5
    expected = not_proved("timeout", 200 if fault == "drip_body" else None)
    assert send(fault) == expected


# It was never on the wire


def test_message_that_cannot_be_put_on_the_wire_fails_and_the_rest_goes_on(sandbox, worker):
    bad, good = write(2)
    SmsMessage.objects.filter(pk=bad.pk).change(number="no number")
    assert worker("--no-refresh").code == 0
    assert rows("status", "error_code") == [("failed", "invalid"), ("accepted", "")]
    assert [message.guid for message in sandbox.messages] == [str(good.guid)]
    journal = SmsBatch.objects.get()
    assert (journal.message_count, journal.guids) == (1, [str(good.guid)])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOBILON_SMS_BATCH_SIZE", 0),
        ("MOBILON_SMS_BASE_URL", f"https://{'a' * 64}.example/"),
        ("MOBILON_SMS_BASE_URL", "http://gateway.example/"),
    ],
)
def test_wrong_setting_ends_the_run_before_a_row_is_claimed(worker, settings, name, value):
    setattr(settings, name, value)
    write()
    with pytest.raises(CommandError, match=name):
        worker()
    assert rows("status", "attempts") == [("pending", 0)]
    assert not SmsBatch.objects.exists()


# The reply is as it should be, and what is around the run is not


def test_dead_addresses_before_the_live_one_change_nothing(sandbox, send, settings, monkeypatch):
    settings.MOBILON_SMS_TIMEOUT = 4
    with full_port() as first, full_port() as second:
        resolve_to(monkeypatch, first, second, urlsplit(sandbox.url).port)
        assert send() == ACCEPTED


def test_name_server_that_outlasts_the_request_leaves_messages_pending(
    sandbox, send, settings, monkeypatch
):
    settings.MOBILON_SMS_TIMEOUT = 1
    monkeypatch.setattr(request_threads, "GRACE", 0)
    waits, answer = iter([PATIENCE]), threading.Event()
    port = urlsplit(sandbox.url).port
    resolve_to(monkeypatch, port, before=lambda: answer.wait(next(waits, 0)))
    assert send(at=sandbox.url) == never_left("connection")
    answer.set()


@pytest.mark.databases
@pytest.mark.parametrize("length", [HOUR, -HOUR, DAY, -DAY])
def test_clock_of_the_database_that_jumps_changes_nothing(sandbox, send, monkeypatch, length):
    clock = Clock()
    monkeypatch.setattr("django_mobilon_sms.database.clock.Now", clock)

    def jump(exchange):
        clock.now += length
        sandbox.on_request = None

    sandbox.on_request = jump
    assert send() == ACCEPTED


@pytest.mark.parametrize("make", UNWRITABLE, ids=NAMES)
def test_output_that_cannot_be_written_changes_nothing(sandbox, worker, make):
    write(2)
    with process(make, "send_sms", "--no-refresh", MOBILON_SMS_BASE_URL=sandbox.url) as run:
        assert reached(run.wait(PATIENCE)) == ACCEPTED
    prove_that_nothing_goes_out_twice(sandbox, worker)


@pytest.mark.parametrize("fault", ["drip_body", "drip_headers"])
def test_dripped_statuses_end_the_run_and_stop_no_sending(sandbox, worker, settings, fault):
    settings.MOBILON_SMS_TIMEOUT = 0.5
    write(2)
    worker("--no-refresh")
    sandbox.fault(fault, path="/status/")
    SmsBatch.objects.update(next_check_at=db_now())
    assert reached(worker().code) == ACCEPTED._replace(exit_code=3)
    prove_that_nothing_goes_out_twice(sandbox, worker)


#: What makes a session refuse every write, until it ends.
READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
}


@pytest.mark.databases
def test_session_that_is_read_only_when_the_reply_comes_changes_nothing(sandbox, send, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    connection.ensure_connection()
    session = connection.connection

    def make_read_only(exchange):
        cursor = session.cursor()
        cursor.execute(READ_ONLY[connection.vendor])
        cursor.close()
        sandbox.on_request = None

    sandbox.on_request = make_read_only
    assert send() == ACCEPTED
    connection.close()


@pytest.fixture
def commits():
    """A proxy before the database, which loses the answer to a COMMIT once it is armed."""
    GatewayState.objects.current()  # inserts its row, which is a COMMIT too
    connection.close()
    address = {key: connection.settings_dict[key] for key in ("HOST", "PORT")}
    proxy = CommitProxy()
    connection.settings_dict.update(HOST="127.0.0.1", PORT=proxy.port)
    yield proxy
    connection.close()
    connection.settings_dict.update(address)
    proxy.close()


@on_a_server
@pytest.mark.databases
def test_record_whose_commit_is_not_answered_is_repeated_and_changes_nothing(
    sandbox, send, commits
):
    def arm(exchange):
        commits.is_armed = not SmsMessage.objects.filter(status=Status.ACCEPTED).exists()
        connection.close()  # of the gateway's thread
        sandbox.on_request = None

    sandbox.on_request = arm
    assert send() == ACCEPTED
    assert not commits.is_armed


@on_a_server
@pytest.mark.databases
def test_claim_whose_commit_is_not_answered_is_found_and_sent_once(sandbox, worker, commits):
    beat(WorkerKind.CRON)  # the commit of a heartbeat must not be the lost one
    write(2)
    commits.is_armed = True
    assert worker("--no-refresh") == (0, "Messages: 2 accepted\n")
    assert not commits.is_armed
    assert rows("status", "batch__outcome") == [("accepted", "answered")] * 2
    prove_that_nothing_goes_out_twice(sandbox, worker)


# The table is whole


def test_every_fault_that_the_sandbox_can_make_has_its_row():
    general = {"http", "code", "body", "changed", "status", "upper_guid", "partial"}
    slow = {"hang", "drip_body", "drip_headers"}
    rows = {*ODD_BUT_CLEAR, *UNPROVED, *NO_WHOLE_ANSWER, *UNREADABLE, *general, *slow}
    assert rows == {*FAULTS, *BROKEN_REPLIES}
