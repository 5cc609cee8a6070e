"""Claims: what a pause, the breaker and the stop list do to one that has begun."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.database import lock_waits
from django_mobilon_sms.models import (
    GatewayState,
    SmsBatch,
    SmsMessage,
    StoppedNumber,
    db_now,
)
from django_mobilon_sms.worker import candidates, claims, deliver, send_now, sweep_leftovers
from tests.support.lock_waits import held, in_threads, waiting
from tests.support.messages import write
from tests.support.workers import PATIENCE, wait_until

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

NUMBER, OTHER = "+79135292926", "+79029801212"
on_a_server = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no row locks")


@pytest.fixture(autouse=True)
def _state():
    """The row of the state, which a first run inserts."""
    GatewayState.objects.current()


def statuses():
    return list(SmsMessage.objects.order_by("pk").values_list("status", flat=True))


def pause():
    assert GatewayState.objects.pause(by=None) == 1


def trip():
    """What a worker does after trouble with a request that began now."""
    batch = SmsBatch.objects.create(worker="elsewhere:1", lease_until=db_now() + timedelta(hours=1))
    assert GatewayState.objects.trip(batch, wait=timedelta(hours=1), error_code="timeout") == 1
    batch.delete()


def stop_unseen(*numbers):
    """Stop numbers as by a transaction that no writer has seen."""
    StoppedNumber.objects.bulk_create(StoppedNumber(number=number) for number in numbers)


def claim_next():
    return claims.claim_next(1, 100, 100)


def test_lease_of_a_claim_begins_with_it(settings):
    settings.MOBILON_SMS_LEASE = 61
    before = GatewayState.objects.current().now
    write()
    [[claim], _halt] = claim_next()
    batch = SmsBatch.objects.get()
    assert batch.pk == claim.batch.pk
    assert before <= batch.created_at <= GatewayState.objects.current().now
    assert batch.lease_until - batch.created_at == timedelta(seconds=61)
    empty = {"outcome": "", "error_code": "", "message_count": 0, "guids": [], "reply": []}
    unset = dict.fromkeys(["http_code", "closed_at", "applied_at"])
    assert vars(batch).items() >= {"worker": claims.worker_name(), **unset}.items()
    assert {name: getattr(batch, name) for name in empty} == empty


# A claim that has chosen its messages


@pytest.mark.parametrize("change", [pause, trip])
def test_claim_takes_nothing_after_sending_was_halted(change):
    write(2)
    found = candidates.due(100, 100)
    change()
    assert claims.take(found) == []
    assert statuses() == ["pending"] * 2
    assert not SmsBatch.objects.exists()


def test_probe_takes_nothing_after_a_pause():
    write()
    GatewayState.objects.update(blocked_until=db_now() - timedelta(hours=1))
    found = candidates.due(1, 1)
    pause()
    assert claims.take(found, is_probe=True) == []
    assert GatewayState.objects.current().probe is None


@pytest.mark.parametrize("end", ["stopped", "lease_short", "invalid"])
def test_probe_that_did_not_ask_the_gateway_lets_the_next_one_ask(
    settings, monkeypatch, sandbox, end
):
    bad, good = write(2)
    GatewayState.objects.update(blocked_until=db_now() - timedelta(hours=1))
    if end == "stopped":
        stop_unseen(NUMBER)
        SmsMessage.objects.filter(pk=good.pk).change(number=OTHER)
        [batch] = candidates.due(1, 1)
        assert claims.take([batch], is_probe=True) == []
    elif end == "invalid":
        SmsMessage.objects.filter(pk=bad.pk).change(number="no number")
        deliver(limit=1)
    else:
        monkeypatch.setattr("django_mobilon_sms.worker.run.require_ready", lambda: None)
        settings.MOBILON_SMS_LEASE, settings.MOBILON_SMS_TIMEOUT = 10, 20
        deliver(limit=1)
        settings.MOBILON_SMS_LEASE, settings.MOBILON_SMS_TIMEOUT = 300, 20
    state = GatewayState.objects.current()
    assert (state.probe, state.probe_until, sandbox.posts) == (None, None, [])
    assert deliver().statuses["accepted"] >= 1


def test_claim_that_is_no_probe_takes_nothing_while_one_is_under_way():
    write(2)
    GatewayState.objects.update(blocked_until=db_now() - timedelta(hours=1))
    one, two = candidates.due(2, 1)
    assert len(claims.take([one], is_probe=True)) == 1
    assert claims.take([two]) == []


def test_pause_between_choice_and_claim_halts_whoever_sends(sandbox, monkeypatch):
    [message] = write()
    for find in ("due", "pending"):
        choose = getattr(candidates, find)

        def paused_meanwhile(*args, choose=choose, **rules):
            found = choose(*args, **rules)
            GatewayState.objects.pause(by=None)
            return found

        # Between two statements of one thread nobody else can be made to come.
        monkeypatch.setattr(candidates, find, paused_meanwhile)
    for report in (deliver(limit=1), send_now([message.pk])):
        assert (report.halted, report.claimed) == ("paused", 0)
        GatewayState.objects.resume()
    assert statuses() == ["pending"]
    assert sandbox.exchanges == []


def test_first_run_of_all_inserts_the_row_that_it_locks(sandbox):
    GatewayState.objects.all().delete()
    write()
    assert deliver().statuses == {"accepted": 1}
    assert GatewayState.objects.count() == 1


# A claim that waits for a lock


@pytest.fixture
def long_waits(monkeypatch):
    """Every lock is waited for as long as the test needs."""
    monkeypatch.setattr(lock_waits, "LOCK_SECONDS", PATIENCE)
    if connection.vendor == "postgresql":
        options = connection.settings_dict["OPTIONS"]
        longer = {"options": f"{options.get('options', '')} -c lock_timeout={PATIENCE}s"}
        monkeypatch.setitem(connection.settings_dict, "OPTIONS", options | longer)
    connection.close()
    yield
    connection.close()


@on_a_server
@pytest.mark.parametrize("change", [pause, trip])
def test_no_claim_commits_once_sending_was_halted(long_waits, change):
    [message] = write()

    def claimed_when_changed():
        change()
        return statuses()

    lock = SmsMessage.objects.select_for_update().filter(pk=message.pk).get
    with held(lock) as release, in_threads() as start:
        claim = start(claim_next)
        wait_until(lambda: waiting() == 1)
        halted = start(claimed_when_changed)
        wait_until(lambda: waiting() == 2 or halted.done())
        release()
        then = halted.result(PATIENCE)
        claim.result(PATIENCE)
    assert statuses() == then == ["sending"]  # claimed before: it still goes out
    assert claim_next()[0] == []


@on_a_server
def test_claim_that_waited_for_a_pause_takes_nothing(long_waits):
    write()
    with held(pause) as release, in_threads() as start:
        claim = start(claim_next)
        wait_until(lambda: waiting() == 1 or claim.done())
        release()
        found, halt = claim.result(PATIENCE)
    assert (found, halt.reason) == ([], "paused")
    assert statuses() == ["pending"]


@on_a_server
def test_number_that_was_stopped_while_the_claim_waited_is_not_sent_to(long_waits):
    [message] = write()
    kept = write(number=OTHER)
    lock = SmsMessage.objects.select_for_update().filter(pk=message.pk).get
    with held(lock) as release, in_threads() as start:
        claim = start(claim_next)
        wait_until(lambda: waiting() == 1)
        stop_unseen(NUMBER)
        release()
        [[claimed], _halt] = claim.result(PATIENCE)
    assert [one.pk for one in claimed.messages] == [one.pk for one in kept]
    assert statuses() == ["cancelled", "sending"]


def lock_message():
    SmsMessage.objects.select_for_update().get()


@on_a_server
@pytest.mark.parametrize("holds", [lock_message, pause])
def test_lock_is_not_waited_for_for_long(monkeypatch, holds):
    monkeypatch.setattr(claims, "RETRY_SECONDS", 0)
    monkeypatch.setattr(lock_waits, "LOCK_SECONDS", 1)
    write()
    with held(holds):
        with pytest.raises(OperationalError):
            claim_next()
        if holds is pause:
            with pytest.raises(OperationalError):
                GatewayState.objects.pause(by=None)
    with connection.cursor() as cursor:  # the connection waits as long as before
        if connection.vendor == "postgresql":
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("0",)
        else:
            cursor.execute("SELECT @@innodb_lock_wait_timeout")
            assert cursor.fetchone() == (50,)


# The stop list


def claim_after_a_stop(*numbers):
    """Claim all that is due, after numbers were stopped."""
    found = candidates.due(100, 100)
    stop_unseen(*numbers)
    return claims.take(found)


def test_text_of_a_message_stopped_before_its_claim_is_forgotten(settings):
    settings.MOBILON_SMS_FORGET_TEXT_AFTER = 3600
    _, resent = write(2)
    SmsMessage.objects.filter(pk=resent.pk).change(resends=1)
    assert claim_after_a_stop(NUMBER) == []
    waiting = SmsMessage.objects.filter(forget_from__isnull=False)
    assert waiting.change(forget_from=db_now() - timedelta(hours=2)) == 1
    sweep_leftovers()
    assert list(SmsMessage.objects.order_by("pk").values_list("status", "text", "batch")) == [
        ("cancelled", "", None),
        ("unknown", "Ваш заказ готов", None),  # it may be sent again
    ]


def test_claim_of_numbers_that_are_not_stopped_asks_for_the_list_once():
    write(3)
    with CaptureQueriesContext(connection) as captured:
        [claim] = claim_after_a_stop(OTHER)
    assert len(claim.messages) == 3
    asked = [query["sql"] for query in captured if "stoppednumber" in query["sql"]]
    assert [sql.split()[0] for sql in asked] == ["INSERT", "SELECT"]
