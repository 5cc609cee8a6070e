"""Asking for statuses and recording them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.choices import Status
from django_mobilon_sms.contrib import jobs
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.worker import deliver, outcome_recording, refresh
from django_mobilon_sms.worker.statuses import queries as status_queries
from django_mobilon_sms.worker.statuses.queries import Trouble, take_due, trouble
from django_mobilon_sms.worker.statuses.schedule import next_check
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def accepted(sandbox, worker, count=1):
    """Messages that the gateway took, and whose status is due to be asked for."""
    messages = write(count)
    worker("--no-refresh")
    due()
    return messages


def due():
    asked = SmsBatch.objects.filter(next_check_at__isnull=False)
    asked.update(next_check_at=db_now() - timedelta(seconds=1))


def row(*fields):
    return SmsMessage.objects.values_list(*fields).get()


def asked(sandbox):
    return [e for e in sandbox.exchanges if e.path == "/status/"]


def test_report_of_sent_moves_the_message_and_keeps_its_time(sandbox, worker):
    accepted(sandbox, worker)
    [taken] = sandbox.messages
    sandbox.set_status(taken.id, 1, date="2017-02-22T16:57:24.705Z")
    assert worker() == (0, "Checked 1 status: 1 sent\n")
    assert row("status", "sent_at", "gateway_status", "batch__next_check_at") == (
        "sent",
        datetime(2017, 2, 22, 16, 57, 24, 705000, tzinfo=timezone.utc),
        1,
        None,
    )


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "yesterday",
        "2017-02-22T16:57:24",
        "2017-13-40T00:00:00.000Z",
        5,
        "1017-02-22T16:57:24Z",
    ],
)
def test_missing_or_bad_time_moves_the_status_without_it(sandbox, worker, date):
    accepted(sandbox, worker)
    sandbox.set_status(sandbox.messages[0].id, 1, date=date)
    assert worker().code == 0
    assert row("status", "sent_at") == ("sent", None)


def test_status_is_first_asked_for_ten_seconds_after_the_acceptance(sandbox, worker):
    write()
    worker()
    [(accepted_at, at)] = SmsMessage.objects.values_list("accepted_at", "batch__next_check_at")
    # The batch and its messages are written by two statements of one transaction.
    assert timedelta(seconds=9) < at - accepted_at <= timedelta(seconds=10)
    assert asked(sandbox) == []


def test_message_that_is_not_sent_yet_is_asked_for_again(sandbox, worker):
    sandbox.sent_after = 3600
    accepted(sandbox, worker)
    assert worker() == (0, "Checked 1 status: 1 unchanged\n")
    assert row("status", "gateway_status") == ("accepted", 0)
    assert worker() == (0, "Nothing to do.\n")
    due()
    worker()
    assert len(asked(sandbox)) == 2


def test_code_that_means_nothing_to_us_is_kept_and_changes_nothing(sandbox, worker):
    accepted(sandbox, worker)
    sandbox.set_status(sandbox.messages[0].id, 42)
    assert worker().code == 0
    assert row("status", "gateway_status") == ("accepted", 42)


def test_mapped_codes_lead_to_delivered_and_never_back(sandbox, worker, settings):
    settings.MOBILON_SMS_STATUS_REPLIES = {1: "sent", 2: "delivered"}
    accepted(sandbox, worker)
    id_ = sandbox.messages[0].id
    for code, status in [(1, "sent"), (2, "delivered"), (1, "delivered")]:
        sandbox.set_status(id_, code)
        worker()
        assert row("status")[0] == status
        due()
    assert row("delivered_at")[0] is not None


@pytest.mark.parametrize(("resends", "status"), [(0, "failed"), (1, "unknown")])
def test_code_mapped_to_failed(sandbox, worker, settings, resends, status):
    settings.MOBILON_SMS_STATUS_REPLIES = {1: "sent", 9: "failed"}
    accepted(sandbox, worker)
    SmsMessage.objects.all().change(resends=resends)
    sandbox.set_status(sandbox.messages[0].id, 9)
    assert worker().code == (4 if resends else 0)
    assert row("status", "error_code", "gateway_status") == (status, "reported_failed", 9)


@pytest.mark.parametrize("fault", ["other_id", "other_guid", "partial", "string_status"])
def test_report_that_does_not_match_changes_nothing(sandbox, worker, fault):
    accepted(sandbox, worker)
    sandbox.fault(fault, path="/status/")
    worker()
    assert row("status") == ("accepted",)


def test_report_whose_status_is_true_changes_nothing(sandbox, worker):
    accepted(sandbox, worker)
    sandbox.fault("true_status", path="/status/")  # 1 would mean sent, and True == 1
    worker()
    assert row("status") == ("accepted",)


def test_two_different_reports_for_one_id_prove_nothing(sandbox, worker):
    accepted(sandbox, worker)
    sandbox.fault("contradictory", path="/status/")
    worker()
    assert row("status") == ("accepted",)


@pytest.mark.parametrize("fault", ["http_500", "close_after_read", "html", "http_429"])
def test_trouble_ends_the_refresh_and_never_stops_sending(sandbox, worker, fault):
    accepted(sandbox, worker)
    sandbox.fault(fault, path="/status/")
    assert worker("--refresh-only").code == 3
    assert row("status") == ("accepted",)
    assert GatewayState.objects.current().blocked_until is None
    due()
    assert worker().code == 0
    assert row("status") == ("sent",)


@pytest.mark.parametrize(
    ("options", "pauses"),
    [
        ({"code": 500}, [60, 120, 240, 480, 900, 900]),
        ({"code": 429, "headers": {"Retry-After": "600"}}, [600, 600, 600, 600, 900, 900]),
        ({"code": 429, "headers": {"Retry-After": "999999"}}, [3600, 3600]),
    ],
)
def test_patient_refresh_waits_after_trouble_and_longer_each_time(sandbox, worker, options, pauses):
    accepted(sandbox, worker)
    for count, pause in enumerate(pauses, start=1):
        sandbox.fault("http", path="/status/", **options)
        due()
        began = time.monotonic()
        assert refresh(patient=True).exit_code == 3
        assert began <= trouble.until - pause <= time.monotonic()
        due()
        assert refresh(patient=True).exit_code == 3  # it waits, and says so
        assert len(asked(sandbox)) == count
        trouble.until = time.monotonic()  # the wait is over
    due()
    assert refresh(patient=True).exit_code == 0
    assert trouble == Trouble()
    assert row("status") == ("sent",)


def test_refresh_by_hand_is_made_at_once_and_ends_the_wait(sandbox, worker):
    accepted(sandbox, worker, 2)
    sandbox.fault("http", path="/status/")
    refresh(patient=True)
    due()
    assert worker("--refresh-only").code == 0
    assert len(asked(sandbox)) == 2
    assert trouble == Trouble()


def test_wait_without_anything_to_ask_is_no_trouble(sandbox, worker):
    accepted(sandbox, worker)
    sandbox.fault("http", path="/status/")
    refresh(patient=True)
    SmsBatch.objects.update(next_check_at=db_now() + timedelta(hours=1))
    assert refresh(patient=True).exit_code == 0


def test_jobs_of_a_task_queue_wait_too(sandbox, worker):
    accepted(sandbox, worker)
    sandbox.fault("http", path="/status/", times=2)
    for _ in range(3):
        due()
        jobs.refresh_statuses()
    assert len(asked(sandbox)) == 1


def test_refused_credentials_are_a_matter_of_configuration(sandbox, worker):
    accepted(sandbox, worker)
    sandbox.fault("http_401", path="/status/")
    assert worker("--refresh-only").code == 1


def test_250_messages_take_three_requests(sandbox, worker):
    accepted(sandbox, worker, 250)
    worker()
    # They are asked for at once, and may arrive in any order.
    assert sorted(len(e.objects) for e in asked(sandbox)) == [50, 100, 100]
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"sent"}


@pytest.mark.parametrize(
    ("age", "wait"),
    [
        (timedelta(0), timedelta(seconds=10)),
        (timedelta(minutes=2), timedelta(seconds=30)),
        (timedelta(minutes=20), timedelta(minutes=1)),
        (timedelta(hours=1), timedelta(minutes=5)),
        (timedelta(hours=6), timedelta(minutes=30)),
        (timedelta(days=2), timedelta(hours=1)),
        (timedelta(days=3), None),
    ],
)
def test_waits_grow_with_the_age_and_end(age, wait):
    assert next_check(NOW - age, NOW, timedelta(0)) == (None if wait is None else NOW + wait)


def test_message_that_is_too_old_is_no_longer_asked_for(sandbox, worker):
    accepted(sandbox, worker)
    SmsBatch.objects.update(closed_at=db_now() - timedelta(days=4))
    assert worker().code == 0
    assert asked(sandbox) == []
    assert SmsMessage.objects.ended().count() == 1


def test_two_workers_do_not_ask_for_the_same(sandbox, worker, monkeypatch):
    accepted(sandbox, worker, 150)
    look, taken = status_queries._whole_batches, []

    def look_and_be_overtaken(due, limit):
        found = look(due, limit)
        monkeypatch.setattr(status_queries, "_whole_batches", look)
        taken.extend(take_due())  # by the other worker, before this one moves the batches
        return found

    monkeypatch.setattr(status_queries, "_whole_batches", look_and_be_overtaken)
    while found := take_due():
        taken.extend(found)
    pks = sorted(one.pk for one in taken)
    assert pks == sorted(SmsMessage.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("step", ["stopping", "select"])
def test_answers_are_recorded_although_the_look_for_more_fails(sandbox, worker, monkeypatch, step):
    accepted(sandbox, worker, 10)
    calls, select = Counter(), status_queries.select

    def fail_when_called_again(name):
        calls[name] += 1
        if name == step and calls[name] == 2:
            raise OperationalError("gone")

    def look(build, *args, **expressions):
        if build is status_queries._due:
            fail_when_called_again("select")
        return select(build, *args, **expressions)

    monkeypatch.setattr(status_queries, "select", look)
    with pytest.raises(OperationalError):
        refresh(stopping=lambda: fail_when_called_again("stopping"))
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"sent"}


def test_answers_under_way_are_recorded_although_those_before_are_refused(
    sandbox, worker, monkeypatch
):
    accepted(sandbox, worker, 300)
    rounds, record = [], status_queries.record

    def refuse_the_first(*args):
        rounds.append(args)
        if len(rounds) == 1:
            raise DataError
        return record(*args)

    monkeypatch.setattr(status_queries, "record", refuse_the_first)
    with pytest.raises(DataError):
        refresh()
    found = Counter(SmsMessage.objects.values_list("status", flat=True))
    assert found == {"sent": 200, "accepted": 100}


def alone(count):
    """Write messages that go one by one, each in a batch of its own."""
    write(count)
    deliver(batch_size=1)
    due()


def test_batches_with_few_messages_left_share_a_request(sandbox):
    alone(120)
    refresh()
    assert [len(e.objects) for e in asked(sandbox)] == [100, 20]
    assert set(SmsMessage.objects.values_list("status", flat=True)) == {"sent"}


def test_full_batches_of_which_one_message_is_left_share_a_request(sandbox, worker):
    sandbox.sent_after = 3600
    accepted(sandbox, worker, 300)
    for one in sandbox.messages[1:]:
        if one is not sandbox.messages[100] and one is not sandbox.messages[200]:
            sandbox.set_status(one.id, 1)
    refresh()
    assert Counter(SmsMessage.objects.values_list("status", flat=True)) == {
        "sent": 297,
        "accepted": 3,
    }
    heard = len(asked(sandbox))
    due()
    refresh()
    assert [len(e.objects) for e in asked(sandbox)[heard:]] == [3]


def test_batch_is_asked_for_whole_or_later(sandbox):
    for size in (60, 60):
        write(size)
        deliver()
    due()
    first = take_due()
    assert len(first) == 60
    assert len({query.batch for query in first}) == 1
    assert len(take_due()) == 60
    assert take_due() == []


def test_report_without_news_writes_no_message(sandbox, worker):
    sandbox.sent_after = 3600
    accepted(sandbox, worker, 3)
    with CaptureQueriesContext(connection) as captured:
        assert refresh().reported == {"": 3}
    written = [query["sql"] for query in captured if query["sql"].startswith("UPDATE")]
    assert len(written) == 1
    assert "smsbatch" in written[0]


def test_new_code_is_written_and_the_batch_asked_for_again(sandbox, worker):
    accepted(sandbox, worker, 2)
    for one in sandbox.messages:
        sandbox.set_status(one.id, 42)
    for _ in range(2):
        due()
        refresh()
    assert set(SmsMessage.objects.values_list("status", "gateway_status")) == {("accepted", 42)}
    assert SmsBatch.objects.get().next_check_at is not None


def test_message_that_is_sent_ends_while_its_batch_is_asked_for(sandbox, worker, settings):
    sandbox.sent_after = 3600
    accepted(sandbox, worker, 2)
    sandbox.set_status(sandbox.messages[0].id, 1)
    refresh()
    assert list(SmsMessage.objects.ended().values_list("status", flat=True)) == ["sent"]
    assert SmsMessage.objects.asked_for().get().status == "accepted"
    due()
    refresh()
    assert [len(e.objects) for e in asked(sandbox)] == [2, 1]


def test_due_batch_without_messages_to_ask_for_is_not_looked_at_again(sandbox, worker):
    accepted(sandbox, worker)
    SmsMessage.objects.all().change(status=Status.UNKNOWN)
    assert refresh().checked == 0
    assert asked(sandbox) == []
    assert SmsBatch.objects.get().next_check_at is None


def test_resent_message_is_asked_for_with_its_last_batch(sandbox, worker):
    write(2)
    worker("--no-refresh")
    [first, other] = SmsMessage.objects.order_by("pk")
    rows = SmsMessage.objects.filter(pk=first.pk)
    rows.change(status=Status.UNKNOWN, error_code="timeout", gateway_id="", accepted_at=None)
    assert rows.resend(by=None) == 1
    worker("--no-refresh")
    SmsBatch.objects.filter(pk=first.batch_id).update(next_check_at=None)
    due()
    [query] = take_due()
    first.refresh_from_db()
    assert (query.pk, query.batch, query.gateway_id) == (
        first.pk,
        first.batch_id,
        first.gateway_id,
    )
    assert query.batch != other.batch_id


def test_outcome_that_a_sweep_applies_is_asked_for_too(sandbox, worker, monkeypatch):
    write()

    def fail(*args):
        raise IntegrityError

    with monkeypatch.context() as patched:
        patched.setattr(outcome_recording, "apply", fail)
        worker("--no-refresh")
    assert SmsBatch.objects.get().next_check_at is None
    worker("--no-refresh")
    assert row("status") == ("accepted",)
    assert SmsBatch.objects.get().next_check_at > SmsBatch.objects.get().closed_at


def test_switched_off_app_asks_for_nothing(sandbox, worker, settings):
    accepted(sandbox, worker)
    settings.MOBILON_SMS_ENABLED = False
    assert worker("--refresh-only").code == 0
    assert asked(sandbox) == []


def test_asking_soon_brings_the_next_question_forward(sandbox, worker):
    sandbox.sent_after = 3600
    accepted(sandbox, worker)
    worker()
    assert SmsMessage.objects.check_soon() == 1
    worker()
    assert len(asked(sandbox)) == 2
    SmsBatch.objects.update(next_check_at=None)
    assert SmsMessage.objects.check_soon() == 0


def test_after_the_first_answer_several_requests_are_under_way(sandbox, worker):
    accepted(sandbox, worker, 500)
    together = threading.Barrier(4, timeout=30)
    heard = len(sandbox.exchanges)

    def meet(exchange):
        if len(sandbox.exchanges) > heard + 1:  # the first one comes alone
            together.wait()

    sandbox.on_request = meet
    assert worker("--refresh-only").output == "Checked 500 statuses: 500 sent\n"
    assert [len(exchange.objects) for exchange in asked(sandbox)] == [100] * 5


def test_trouble_with_one_of_several_requests_keeps_the_answers_of_the_others(sandbox, worker):
    accepted(sandbox, worker, 500)
    sandbox.on_request = lambda exchange: (
        sandbox.fault("http_503", path="/status/") if len(asked(sandbox)) == 1 else None
    )
    run = worker("--refresh-only")
    assert run == (
        3,
        "Checked 400 statuses: 400 sent\n"
        "Statuses could not be queried (http_error). The worker tries again.\n",
    )
    assert len(asked(sandbox)) == 5
    found = SmsMessage.objects.values_list("status", flat=True)
    assert Counter(found) == {"sent": 400, "accepted": 100}
