"""The table of proofs: a real socket, the row afterwards, and the exit code."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError

from django_mobilon_sms.choices import ErrorCode, Outcome
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage

from .conftest import write

pytestmark = pytest.mark.django_db(transaction=True)

A, B = 0, 1


def rows(*fields):
    return list(SmsMessage.objects.order_by("pk").values_list(*fields))


def test_object_with_an_id_is_accepted(sandbox, worker):
    [message] = write()
    assert worker("--no-refresh") == (0, "Messages: 1 accepted\n")
    [taken] = sandbox.messages
    assert (taken.guid, taken.number, taken.text, taken.source) == (
        str(message.guid),
        "89135292926",
        "Ваш заказ готов",
        "89234560000",
    )
    assert rows("status", "gateway_id", "gateway_status", "error_code") == [
        ("accepted", taken.id, 0, "")
    ]
    [batch] = SmsBatch.objects.all()
    assert (batch.outcome, batch.guids, batch.reply) == (
        Outcome.ANSWERED,
        [str(message.guid)],
        [[str(message.guid), 0, taken.id]],
    )
    assert batch.applied_at is not None


def test_unmapped_status_with_an_id_is_accepted_and_its_code_kept(sandbox, worker):
    write()
    sandbox.fault("status", value=7)
    assert worker("--no-refresh").code == 0
    assert rows("status", "gateway_status") == [("accepted", 7)]


def test_status_mapped_to_failed_fails_the_message(sandbox, worker, settings):
    settings.MOBILON_SMS_SEND_REPLIES = {0: "accepted", 5: "failed"}
    write()
    sandbox.fault("status", value=5)
    assert worker("--no-refresh").code == 0
    assert rows("status", "error_code", "gateway_status") == [("failed", "rejected", 5)]


@pytest.mark.parametrize(
    ("fault", "error_code"),
    [
        ("no_id", ErrorCode.NO_ID),
        ("null_id", ErrorCode.NO_ID),
        ("int_id", ErrorCode.WRONG_TYPES),
        ("long_id", ErrorCode.WRONG_TYPES),
        ("string_status", ErrorCode.WRONG_TYPES),
        ("true_status", ErrorCode.WRONG_TYPES),
        ("float_status", ErrorCode.WRONG_TYPES),
        ("contradictory", ErrorCode.CONTRADICTION),
    ],
)
def test_object_that_proves_nothing_leaves_the_message_unknown(sandbox, worker, fault, error_code):
    write()
    sandbox.fault(fault)
    assert worker("--no-refresh").code == 4
    assert rows("status", "error_code", "gateway_id") == [("unknown", error_code, "")]
    assert GatewayState.objects.current().failures == 1


def test_one_id_for_two_guids_leaves_both_unknown(sandbox, worker):
    write(2)
    sandbox.fault("same_id")
    assert worker("--no-refresh").code == 4
    assert rows("status", "error_code") == [("unknown", "contradiction")] * 2


def test_message_that_the_reply_does_not_mention_is_unknown_and_the_run_goes_on(sandbox, worker):
    write(2)
    sandbox.fault("partial")
    assert worker("--no-refresh", "--batch-size=2").code == 4
    assert sorted(rows("status", "error_code")) == [("accepted", ""), ("unknown", "no_answer")]
    assert GatewayState.objects.current().failures == 0


@pytest.mark.parametrize(
    "fault", ["shuffled", "doubled", "strangers", "extra_keys", "upper_guid", "bom", "code_202"]
)
def test_odd_but_clear_reply_is_accepted(sandbox, worker, fault):
    write(3)
    sandbox.fault(fault)
    assert worker("--no-refresh").code == 0
    ids = {message.guid: message.id for message in sandbox.messages}
    assert rows("status", "gateway_id") == [
        ("accepted", ids[str(guid)]) for (guid,) in rows("guid")
    ]


def test_no_connection_leaves_the_message_pending(worker, settings):
    settings.MOBILON_SMS_BASE_URL = "http://127.0.0.1:9/"
    write()
    assert worker("--no-refresh").code == 3
    assert rows("status", "attempts", "error_code") == [("pending", 0, "connection")]
    assert SmsBatch.objects.get().outcome == Outcome.NEVER_LEFT
    state = GatewayState.objects.current()
    assert state.blocked_until - state.changed_at == timedelta(minutes=1)


@pytest.mark.parametrize("code", [401, 402, 407, 429])
def test_refusal_that_says_nothing_about_a_message_counts_nothing(sandbox, worker, code):
    write(2)
    sandbox.fault("http", code=code)
    assert worker("--no-refresh").code == (1 if code in (401, 407) else 3)
    assert rows("status", "attempts") == [("pending", 0)] * 2
    assert SmsBatch.objects.get().http_code == code
    assert sandbox.messages == []


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [("120", 120), ("999999", 3600), ("0", 1), ("soon", 60), ("-5", 60)],
)
def test_retry_after_sets_the_wait_within_an_hour(sandbox, worker, retry_after, wait):
    write()
    sandbox.fault("http", code=429, headers={"Retry-After": retry_after})
    assert worker("--no-refresh").code == 3
    state = GatewayState.objects.current()
    assert state.blocked_until - state.changed_at == timedelta(seconds=wait)


def test_retry_after_of_another_refusal_is_not_heeded(sandbox, worker):
    write()
    sandbox.fault("http", code=413, headers={"Retry-After": "1200"})
    worker("--no-refresh")
    state = GatewayState.objects.current()
    assert state.blocked_until - state.changed_at == timedelta(minutes=1)


@pytest.mark.parametrize("code", [403, 404, 405, 411, 413, 415])
def test_other_refusal_counts_an_attempt(sandbox, worker, code):
    write(2)
    before = rows("due_at")
    sandbox.fault("http", code=code)
    assert worker("--no-refresh").code == (1 if code in (403, 404, 405) else 3)
    assert rows("status", "attempts", "error_code") == [("pending", 1, "http_refused")] * 2
    assert rows("due_at") == before


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


@pytest.mark.parametrize("code", [400, 422])
def test_bad_request_fails_a_message_that_was_alone(sandbox, worker, code):
    write()
    sandbox.fault("http", code=code)
    assert worker("--no-refresh").code == 3
    assert rows("status", "error_code") == [("failed", "rejected")]


@pytest.mark.parametrize("code", [400, 422])
def test_bad_request_leaves_several_messages_unknown(sandbox, worker, code):
    write(2)
    sandbox.fault("http", code=code)
    assert worker("--no-refresh").code == 4
    assert rows("status", "error_code") == [("unknown", "http_error")] * 2


def test_no_refusal_is_believed_where_the_setting_is_empty(sandbox, worker, settings):
    settings.MOBILON_SMS_REFUSED_HTTP_CODES = []
    write()
    sandbox.fault("http", code=429)
    assert worker("--no-refresh").code == 4
    assert rows("status") == [("unknown",)]


@pytest.mark.parametrize("code", [301, 302, 307, 308, 304])
def test_redirect_is_not_followed_and_proves_nothing(sandbox, worker, code):
    write()
    sandbox.fault("http", code=code, headers={"Location": sandbox.url + "send/"})
    assert worker("--no-refresh").code == 1
    assert rows("status", "error_code") == [("unknown", "redirect")]
    assert len(sandbox.exchanges) == 1


@pytest.mark.parametrize("code", [408, 409, 418, 423, 500, 502, 503, 504, 599])
def test_other_http_code_proves_nothing(sandbox, worker, code):
    write()
    sandbox.fault("http", code=code)
    assert worker("--no-refresh").code == 4
    assert rows("status", "error_code") == [("unknown", "http_error")]


@pytest.mark.parametrize(
    ("fault", "error_code"),
    [
        ("close_unread", "broken"),
        ("reset_unread", "broken"),
        ("close_after_read", "broken"),
        ("reset_after_read", "broken"),
        ("half_status_line", "broken"),
        ("half_header", "bad_reply"),
        ("cut_body", "broken"),
        ("cut_chunked", "broken"),
        ("bad_gzip", "bad_reply"),
        ("not_json", "bad_reply"),
        ("html", "bad_reply"),
        ("empty", "bad_reply"),
        ("null", "bad_reply"),
        ("object", "bad_reply"),
        ("nested", "no_answer"),
        ("charset", "bad_reply"),
        ("deep", "bad_reply"),
        ("huge_int", "bad_reply"),
        ("nan", "bad_reply"),
        ("duplicate_keys", "bad_reply"),
        ("five_megabytes", "bad_reply"),
        ("endless", "bad_reply"),
    ],
)
def test_broken_answer_proves_nothing(sandbox, worker, fault, error_code):
    write(2)
    sandbox.fault(fault)
    assert worker("--no-refresh").code == 4
    assert rows("status", "error_code") == [("unknown", error_code)] * 2
    assert len(sandbox.exchanges) == 1


@pytest.mark.parametrize("fault", ["hang", "drip_body"])
def test_answer_that_outlasts_the_timeout_proves_nothing(sandbox, worker, settings, fault):
    settings.MOBILON_SMS_TIMEOUT = 0.5
    write()
    sandbox.fault(fault)
    assert worker("--no-refresh").code == 4
    assert rows("status", "error_code") == [("unknown", "timeout")]


def test_headers_that_outlast_every_timeout_are_abandoned(sandbox, worker, settings, monkeypatch):
    monkeypatch.setattr("django_mobilon_sms.delivery.GRACE", 0.5)
    settings.MOBILON_SMS_TIMEOUT = 0.5
    write()
    sandbox.fault("drip_headers", interval=0.1)
    assert worker("--no-refresh").code == 4
    assert rows("status", "error_code") == [("unknown", "deadline")]


def test_message_that_can_not_be_put_on_the_wire_fails_and_the_rest_goes_on(sandbox, worker):
    bad, good = write(2)
    SmsMessage.objects.filter(pk=bad.pk).change(number="no number")
    assert worker("--no-refresh").code == 0
    assert rows("status", "error_code") == [("failed", "invalid"), ("accepted", "")]
    assert [message.guid for message in sandbox.messages] == [str(good.guid)]


def test_wrong_setting_ends_the_run_before_a_row_is_claimed(sandbox, worker, settings):
    settings.MOBILON_SMS_BATCH_SIZE = 0
    write()
    with pytest.raises(CommandError, match="MOBILON_SMS_BATCH_SIZE"):
        worker()
    assert rows("status") == [("pending",)]
