"""Sweep, claim, record, breaker: what a run does with the rows around it."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from django.db.models import F

from django_mobilon_sms.choices import ErrorCode, Outcome, Priority, Resolution, Status
from django_mobilon_sms.conf import conf
from django_mobilon_sms.gateway import MobilonGateway, SendResult
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.worker import (
    candidates,
    deliver,
    outcome_recording,
    proofs,
    run,
    send_now,
    sweep_leftovers,
)
from django_mobilon_sms.worker.sweep import _apply
from tests.support.messages import by_guid, claim, journal, write
from tests.support.workers import PATIENCE

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

HOUR = timedelta(hours=1)


def statuses():
    return list(SmsMessage.objects.order_by("pk").values_list("status", flat=True))


def claimed(count=1, *, lease=HOUR, **fields):
    """Messages in a batch whose worker is elsewhere."""
    messages = write(count, **fields)
    batch = SmsBatch.objects.create(worker="elsewhere:1", lease_until=db_now() + lease)
    claim(batch, *messages)
    return batch, messages


def answer(messages, status=0):
    return proofs.of_reply([SendResult(m.guid, status, uuid4().hex) for m in messages])


# Claim


def test_sooner_priority_goes_first_and_earlier_due_before_later(sandbox, worker):
    for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH):
        write(2, priority=priority, text=priority.label)
    worker("--no-refresh", "--batch-size=2", "--concurrency=1")
    assert [m.text for m in sandbox.messages] == ["high"] * 2 + ["normal"] * 2 + ["low"] * 2


def test_future_and_expired_messages_are_not_claimed(sandbox, worker):
    later, gone = write(2)
    SmsMessage.objects.filter(pk=later.pk).change(due_at=db_now() + HOUR)
    SmsMessage.objects.filter(pk=gone.pk).change(
        send_at=db_now() - 2 * HOUR, expires_at=db_now() - HOUR
    )
    assert worker("--no-refresh").code == 0
    assert statuses() == ["pending", "expired"]
    assert sandbox.exchanges == []


def test_message_that_had_trouble_before_goes_alone(sandbox, worker):
    _, second, _ = write(3)
    SmsMessage.objects.filter(pk=second.pk).change(attempts=1)
    worker("--no-refresh")
    assert [len(post.objects) for post in sandbox.posts] == [2, 1]


def test_nothing_is_claimed_inside_a_transaction(sandbox):
    [message] = write()
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        send_now([message.pk])
    assert sandbox.exchanges == []


def test_gateway_hears_of_a_message_only_after_its_claim_was_committed(sandbox):
    write(2)
    seen = []

    def look(exchange):
        found = list(SmsMessage.objects.values_list("status", "batch__outcome"))
        seen.append(found)
        connection.close()

    sandbox.on_request = look
    deliver()
    assert seen == [[("sending", "")] * 2]


def test_database_lost_while_claiming_forgets_nothing_that_is_under_way(sandbox, monkeypatch):
    GatewayState.objects.current()  # writes the row
    write(3)
    found, due = [], candidates.due

    def lost_from_the_third(most, size, **rules):
        found.append(size)
        if len(found) >= 3:
            raise OperationalError
        return due(most, size, **rules)

    # No real server can be made to be away for just this query.
    monkeypatch.setattr(candidates, "due", lost_from_the_third)
    with pytest.raises(OperationalError):
        deliver(batch_size=1)
    assert statuses() == ["accepted", "accepted", "pending"]


def test_limit_is_never_exceeded(sandbox, worker):
    write(7)
    worker("--no-refresh", "--limit=5", "--batch-size=2")
    assert len(sandbox.messages) == 5
    assert statuses().count("pending") == 2


def test_send_now_sends_whatever_its_time_and_leaves_the_rest(sandbox, settings):
    settings.MOBILON_SMS_BATCH_SIZE = 2
    messages = write(3)
    SmsMessage.objects.all().change(due_at=db_now() + HOUR)
    report = send_now([message.pk for message in messages])
    assert (report.claimed, report.statuses) == (2, {"accepted": 2})
    assert statuses() == ["accepted", "accepted", "pending"]


def test_send_now_leaves_what_has_expired(sandbox):
    [message] = write()
    SmsMessage.objects.all().change(send_at=db_now() - 2 * HOUR, expires_at=db_now() - HOUR)
    assert send_now([message.pk]).claimed == 0
    assert sandbox.exchanges == []


def test_send_now_sends_what_had_trouble_before_alone(sandbox):
    messages = write(3)
    SmsMessage.objects.filter(pk=messages[0].pk).change(resends=1)
    pks = [message.pk for message in messages]
    assert [send_now(pks).claimed for _ in range(3)] == [1, 2, 0]


def test_requests_overlap_after_the_first_good_reply(sandbox):
    write(9)
    most, lock = [], threading.Lock()
    together = threading.Barrier(4, timeout=30)

    def meet(exchange):
        with lock:
            most.append(exchange)
            first = len(most) == 1
        if not first:
            together.wait()  # breaks unless four are under way at the same moment

    sandbox.on_request = meet
    report = deliver(batch_size=1, limit=9, concurrency=5)
    assert (report.claimed, report.statuses) == (9, {"accepted": 9})


# Sweep


def test_lost_batch_leaves_its_messages_unknown(worker):
    batch, _ = claimed(2, lease=-HOUR)
    assert worker("--no-refresh").code == 4
    assert statuses() == ["unknown"] * 2
    assert SmsMessage.objects.filter(error_code=ErrorCode.LOST).count() == 2
    batch.refresh_from_db()
    assert batch.outcome == Outcome.LOST


def test_batch_within_its_lease_is_left_alone(worker):
    claimed(2)
    assert worker("--no-refresh").code == 0
    assert statuses() == ["sending"] * 2


def test_run_does_not_sweep_its_own_request_whose_lease_is_over(sandbox, settings, monkeypatch):
    """Its reply may be here, and unrecorded because the database was slow."""
    monkeypatch.setattr(run, "SWEEP_SECONDS", 0.0)
    settings.MOBILON_SMS_CONCURRENCY = 3
    last_arrived = threading.Event()

    def come(exchange):
        number = len(sandbox.posts)
        if number == 2:
            assert last_arrived.wait(PATIENCE)
        elif number == 3:
            SmsBatch.objects.filter(outcome="").update(lease_until=db_now())
            connection.close()  # of the gateway's thread
        elif number == 8:
            last_arrived.set()

    write(8)
    sandbox.on_request = come
    assert deliver(batch_size=1).statuses == {"accepted": 8}


def test_outcome_that_did_not_reach_its_messages_is_applied_whatever_the_lease(worker):
    batch, messages = claimed(2)
    assert outcome_recording.close(batch, answer(messages), by_guid(messages)) == 1
    assert statuses() == ["sending"] * 2
    assert worker("--no-refresh").code == 0
    assert statuses() == ["accepted"] * 2


@pytest.mark.parametrize(("resends", "status"), [(0, "expired"), (1, "unknown")])
def test_expired_message_ends_unless_it_may_have_gone_out_before(worker, resends, status):
    write()
    SmsMessage.objects.all().change(
        send_at=db_now() - 2 * HOUR, expires_at=db_now() - HOUR, resends=resends
    )
    worker("--no-refresh")
    assert statuses() == [status]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite keeps a value of any length")
def test_batch_that_cannot_be_swept_does_not_stop_the_others(sandbox, worker):
    batch, messages = claimed(1)
    write()
    too_long = proofs.of_reply([SendResult(messages[0].guid, 0, "x" * 65)])
    outcome_recording.close(batch, too_long, by_guid(messages))
    assert worker("--no-refresh").code == 1
    assert statuses() == ["sending", "accepted"]


ACCEPTED = ("accepted", "", "58adc4b8")
NO_PROOF = ("unknown", "timeout", "")
NOBODY_KNOWS = ("unknown", "lost", "")


@pytest.mark.parametrize(
    ("outcome", "error_code", "carried", "answered", "then"),
    [
        ("answered", "", True, True, ACCEPTED),
        ("answered", "", True, False, ("unknown", "no_answer", "")),
        ("refused", "payment", True, False, ("pending", "payment", "")),
        ("never_left", "connection", True, False, ("pending", "connection", "")),
        ("refused", "rejected", True, False, ("failed", "rejected", "")),
        ("refused", "payment", False, False, NOBODY_KNOWS),
        ("never_left", "connection", False, False, NOBODY_KNOWS),
        ("no_proof", "timeout", True, False, NO_PROOF),
        ("lost", "lost", False, False, NOBODY_KNOWS),
        ("", "", True, False, NOBODY_KNOWS),
    ],
)
def test_message_that_an_applied_batch_left_behind_gets_what_its_outcome_proves(
    outcome, error_code, carried, answered, then
):
    GatewayState.objects.current()  # writes the row
    _batch, [message, decided] = claimed(2)
    SmsMessage.objects.filter(pk=decided.pk).hold(ErrorCode.LOST)
    SmsMessage.objects.resolve(Resolution.GIVEN_UP, by=None)
    guids = [message.guid, decided.guid] if carried else []
    replies = [(guid, 0, f"58adc4b{8 - n}") for n, guid in enumerate(guids)]
    # As where a table without transactions kept the one change and lost the other.
    SmsBatch.objects.update(
        outcome=outcome,
        error_code=error_code,
        closed_at=db_now(),
        applied_at=db_now(),
        **journal(guids, replies if answered else []),
    )
    report = sweep_leftovers()
    rows = SmsMessage.objects.order_by("pk").values_list("status", "error_code", "gateway_id")
    assert list(rows) == [then, ("unknown", "lost", "")]
    assert (report.statuses, report.failed) == ({then[0]: 1}, False)
    assert sweep_leftovers().statuses == {}


# Record


def test_answer_is_matched_by_guid_and_not_by_position(sandbox, worker):
    write(3)
    sandbox.fault("shuffled")
    assert worker("--no-refresh").code == 0
    taken = {message.guid: message.id for message in sandbox.messages}
    found = SmsMessage.objects.values_list("guid", "gateway_id")
    assert {str(guid): id_ for guid, id_ in found} == taken


class Breaks(MobilonGateway):
    """Raises what its test names, after the gateway took the messages."""

    error: BaseException

    def send(self, messages):
        super().send(messages)
        raise self.error


@pytest.mark.parametrize(
    "error", [ValueError(), KeyError(), OSError(), MemoryError(), SystemExit(3), GeneratorExit()]
)
def test_unforeseen_error_proves_nothing(sandbox, worker, settings, monkeypatch, error):
    settings.MOBILON_SMS_BACKEND = "tests.worker.test_run.Breaks"
    monkeypatch.setattr(Breaks, "error", error, raising=False)
    write(2)
    assert worker("--no-refresh", "--batch-size=1").code == 4
    found = SmsMessage.objects.order_by("pk").values_list("status", "error_code")
    assert list(found) == [("unknown", "unforeseen"), ("pending", "")]
    assert len(sandbox.posts) == 1


class UnreadableAnswer(MobilonGateway):
    """Sends the messages, and returns an answer that cannot be read."""

    def send(self, messages):
        super().send(messages)
        return [object()]


def test_unreadable_answer_proves_nothing_and_is_recorded_at_once(sandbox, worker, settings):
    settings.MOBILON_SMS_BACKEND = "tests.worker.test_run.UnreadableAnswer"
    write(2)
    assert worker("--no-refresh", "--batch-size=1").code == 4
    found = SmsMessage.objects.order_by("pk").values_list("status", "error_code")
    assert list(found) == [("unknown", "unforeseen"), ("pending", "")]
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize("error", [OperationalError, IntegrityError, DataError])
def test_batch_that_the_database_refuses_for_any_reason_stops_no_other(
    sandbox, worker, monkeypatch, error
):
    stuck, _ = claimed(1, lease=-HOUR)
    claimed(1, lease=-HOUR)
    write(1)
    apply = outcome_recording.apply

    def refused(batch, pks=None):
        if batch.pk == stuck.pk:
            raise error
        return apply(batch, pks)

    # What a trigger or another's lock would do for longer than any patience.
    monkeypatch.setattr(outcome_recording, "apply", refused)
    monkeypatch.setattr("django_mobilon_sms.worker.sweep.RETRY_SECONDS", 0)
    assert worker("--no-refresh").code == 1
    assert statuses() == ["sending", "unknown", "accepted"]


# Late answers


def test_late_acceptance_of_a_lost_batch_counts():
    batch, messages = claimed(1, lease=-HOUR)
    sweep_leftovers()
    outcome_recording.record(batch, answer(messages), by_guid(messages))
    assert statuses() == ["accepted"]


def test_late_never_left_puts_a_lost_message_back():
    batch, messages = claimed(1, lease=-HOUR)
    sweep_leftovers()
    never = proofs.Proof(Outcome.NEVER_LEFT, ErrorCode.CONNECTION)
    outcome_recording.record(batch, never, by_guid(messages))
    assert statuses() == ["pending"]


@pytest.mark.parametrize("outcome", [Outcome.NEVER_LEFT, Outcome.REFUSED])
def test_late_refusal_does_not_touch_what_a_person_decided(outcome):
    batch, messages = claimed(1, lease=-HOUR)
    sweep_leftovers()
    SmsMessage.objects.resolve(Resolution.GIVEN_UP, by=None)
    outcome_recording.record(
        batch, proofs.Proof(outcome, ErrorCode.HTTP_REFUSED), by_guid(messages)
    )
    assert list(SmsMessage.objects.values_list("status", "resolution")) == [("unknown", "given_up")]


def test_late_acceptance_saves_a_resend_that_was_not_claimed(sandbox, worker):
    batch, messages = claimed(1, lease=-HOUR)
    sweep_leftovers()
    assert SmsMessage.objects.resend(by=None) == 1
    outcome_recording.record(batch, answer(messages), by_guid(messages))
    assert statuses() == ["accepted"]
    worker("--no-refresh")
    assert sandbox.exchanges == []


def test_late_acceptance_does_not_touch_a_resend_in_another_batch():
    batch, messages = claimed(1, lease=-HOUR)
    sweep_leftovers()
    SmsMessage.objects.resend(by=None)
    second = SmsBatch.objects.create(worker="w", lease_until=db_now() + HOUR)
    claim(second)
    outcome_recording.record(batch, answer(messages), by_guid(messages))
    assert list(SmsMessage.objects.values_list("status", "batch")) == [("sending", second.pk)]


def test_late_never_left_does_not_touch_a_resend_in_another_batch():
    batch, messages = claimed(1, lease=-HOUR)
    sweep_leftovers()
    SmsMessage.objects.resend(by=None)
    second = SmsBatch.objects.create(worker="w", lease_until=db_now() + HOUR)
    claim(second)
    never = proofs.Proof(Outcome.NEVER_LEFT, ErrorCode.CONNECTION)
    outcome_recording.record(batch, never, by_guid(messages))
    assert list(SmsMessage.objects.values_list("status", "batch")) == [("sending", second.pk)]


def test_outcome_is_applied_once():
    batch, messages = claimed(1)
    guids = by_guid(messages)
    assert outcome_recording.record(batch, answer(messages), guids) == {Status.ACCEPTED: 1}
    assert outcome_recording.record(batch, proofs.Proof(Outcome.NO_PROOF, "timeout"), guids) == {}
    assert statuses() == ["accepted"]


def test_acceptance_does_not_touch_a_message_that_was_put_back():
    batch, messages = claimed(1)
    SmsMessage.objects.all().change(status=Status.PENDING)
    outcome_recording.record(batch, answer(messages), by_guid(messages))
    assert statuses() == ["pending"]


def test_batch_that_was_applied_is_not_applied_again():
    batch, messages = claimed(1)
    outcome_recording.record(batch, answer(messages), by_guid(messages))
    SmsMessage.objects.all().change(status=Status.UNKNOWN)
    assert _apply(SmsBatch.objects.get()) == {}
    assert statuses() == ["unknown"]


# Resends


@pytest.mark.parametrize(
    ("fault", "settled"), [({"name": "http", "code": 400}, 3), ({"name": "status", "value": 5}, 4)]
)
def test_refused_resend_may_have_gone_out_before_and_is_unknown(
    sandbox, worker, settings, fault, settled
):
    settings.MOBILON_SMS_SEND_REPLIES = {0: "accepted", 5: "failed"}
    write()
    SmsMessage.objects.all().change(resends=1)
    sandbox.fault(**fault)
    assert worker("--no-refresh").code == 4
    assert list(SmsMessage.objects.values_list("status", "error_code")) == [("unknown", "rejected")]


def test_resend_goes_out_alone_under_the_same_guid(sandbox, worker):
    first, _ = write(2)
    SmsMessage.objects.filter(pk=first.pk).hold(ErrorCode.TIMEOUT)
    SmsMessage.objects.resend(by=User.objects.create(username="olga"))
    worker("--no-refresh")
    assert sorted(len(post.objects) for post in sandbox.posts) == [1, 1]
    assert sandbox.copies(str(first.guid)) == 1
    first.refresh_from_db()
    assert (first.status, first.resends, first.resent_by.username) == ("accepted", 1, "olga")


# Breaker


def test_waits_after_trouble_without_proof_double_up_to_a_quarter_of_an_hour(sandbox, worker):
    waits = []
    for _ in range(6):
        write()
        sandbox.fault("http", code=500)
        worker("--no-refresh", "--limit=1")
        state = GatewayState.objects.current()
        waits.append((state.blocked_until - state.changed_at) // timedelta(minutes=1))
        GatewayState.objects.try_now()
    assert waits == [1, 2, 4, 8, 15, 15]


def test_blocked_gateway_is_left_alone_and_messages_wait(sandbox, worker):
    write(2)
    sandbox.fault("http", code=500)
    assert worker("--no-refresh", "--batch-size=1").code == 4
    assert worker("--no-refresh").code == 3
    assert statuses() == ["unknown", "pending"]
    assert len(sandbox.posts) == 1


def test_blocked_gateway_with_nothing_to_send_is_no_trouble(sandbox, worker):
    write()
    sandbox.fault("http", code=500)
    worker("--no-refresh")
    assert worker("--no-refresh").code == 0


def test_probe_is_one_message_and_its_good_reply_clears_the_way(sandbox, worker):
    write(5)
    sandbox.fault("http", code=429, headers={"Retry-After": "60"})
    worker("--no-refresh")
    GatewayState.objects.try_now()
    assert worker("--no-refresh").code == 0
    assert [len(post.objects) for post in sandbox.posts] == [5, 1, 4]
    state = GatewayState.objects.current()
    assert (state.blocked_until, state.failures, state.probe) == (None, 0, None)


def test_only_one_worker_wins_the_probe():
    write(2)
    state = GatewayState.objects.current()
    GatewayState.objects.filter(pk=state.pk).update(blocked_until=db_now() - HOUR)
    one, two = (SmsBatch.objects.create(worker=name, lease_until=db_now() + HOUR) for name in "ab")
    lease = timedelta(seconds=conf.LEASE)
    assert GatewayState.objects.win_probe(one, lease)
    assert not GatewayState.objects.win_probe(two, lease)
    report = deliver()
    assert (report.halted, report.claimed, report.exit_code) == ("blocked", 0, 3)
    assert report.resumes_at == GatewayState.objects.current().probe_until


def test_probe_of_a_dead_worker_is_won_anew(sandbox):
    write()
    state = GatewayState.objects.current()
    GatewayState.objects.filter(pk=state.pk).update(
        blocked_until=db_now() - 2 * HOUR, probe=uuid4(), probe_until=db_now() - HOUR
    )
    assert deliver().statuses == {"accepted": 1}


def test_failures_of_posts_under_way_together_trip_once(sandbox):
    write(5)
    together = threading.Barrier(4, timeout=30)
    sandbox.fault("code_200", times=1)
    sandbox.fault("http", code=500, times=4)
    sandbox.on_request = lambda exchange: len(sandbox.posts) > 1 and together.wait()
    deliver(batch_size=1, concurrency=5)
    state = GatewayState.objects.current()
    assert (state.failures, statuses().count("unknown")) == (1, 4)


def test_run_stops_after_trouble_even_if_somebody_else_changed_the_state_meanwhile(sandbox):
    write(2)
    GatewayState.objects.current()
    sandbox.fault("http", code=500)

    def change(exchange):
        GatewayState.objects.update(breaker_changes=F("breaker_changes") + 1)
        connection.close()

    sandbox.on_request = change
    assert deliver(batch_size=1).statuses == {"unknown": 1}
    assert len(sandbox.posts) == 1


def test_paused_sending_claims_nothing_and_says_so(sandbox, worker):
    write()
    GatewayState.objects.pause(by=None)
    assert worker() == (0, "Sending is paused. Resume it in the admin.\n")
    GatewayState.objects.resume()
    assert worker("--no-refresh").code == 0
    assert statuses() == ["accepted"]


def test_switched_off_app_claims_nothing_and_says_so(sandbox, worker, settings):
    settings.MOBILON_SMS_ENABLED = False
    write()
    code, output = worker()
    assert (code, statuses(), sandbox.exchanges) == (0, ["pending"], [])
    assert "MOBILON_SMS_ENABLED" in output


def test_too_little_lease_left_gives_the_batch_back(sandbox, settings, monkeypatch):
    write()
    # Nothing else can be slow for minutes in a test: the lease is simply shorter than a timeout.
    monkeypatch.setattr("django_mobilon_sms.worker.run.require_ready", lambda: None)
    settings.MOBILON_SMS_LEASE, settings.MOBILON_SMS_TIMEOUT = 10, 20
    report = deliver(limit=1)
    assert (report.exit_code, statuses(), sandbox.exchanges) == (0, ["pending"], [])
    assert SmsBatch.objects.get().error_code == ErrorCode.LEASE_SHORT
    assert GatewayState.objects.current().failures == 0
