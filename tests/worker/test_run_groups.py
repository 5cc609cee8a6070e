"""Batches that are claimed, and results that are recorded, in one transaction."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.choices import Priority
from django_mobilon_sms.gateway import SendResult
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage
from django_mobilon_sms.worker import RunReport, candidates, proofs
from django_mobilon_sms.worker.claims import claim_next, take
from django_mobilon_sms.worker.outcome_recording import Result
from django_mobilon_sms.worker.run import _Run
from tests.support.messages import claim, write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def run(sandbox):
    GatewayState.objects.current()  # writes the row
    return _Run(RunReport(), 4, 2)


def claim_due(batches, messages):
    claims, _halt = claim_next(batches, messages, 2)
    return claims


def proof(claim, *, id_length=32):
    """Every message of the claim was taken."""
    ids = (uuid4().hex.ljust(id_length, "f") for _ in claim.messages)
    return proofs.of_reply([SendResult(m.guid, 0, id_) for m, id_ in zip(claim.messages, ids)])


def kept():
    """Each message's status, and its batch's outcome."""
    rows = SmsMessage.objects.order_by("pk").values_list("status", "batch__outcome")
    return [(status, outcome or "") for status, outcome in rows]


def commits(work):
    with CaptureQueriesContext(connection) as captured:
        work()
    return [query["sql"] for query in captured].count("COMMIT")


def test_batches_are_filled_in_order_and_what_had_trouble_goes_alone():
    low, troubled, *rest = write(5)
    SmsMessage.objects.filter(pk=low.pk).change(priority=Priority.LOW)
    SmsMessage.objects.filter(pk=troubled.pk).change(attempts=1)
    found = [[one.pk for one in batch] for batch in candidates.due(5, 2)]
    first, second, third = (message.pk for message in rest)
    assert found == [[troubled.pk], [first, second], [third, low.pk]]
    assert [len(batch) for batch in candidates.due(3, 2)] == [1, 2]


def test_several_batches_are_claimed_in_one_transaction():
    GatewayState.objects.current()  # writes the row
    write(7)
    claims = []
    assert commits(lambda: claims.extend(claim_due(3, 5))) == 1
    assert [len(claim.messages) for claim in claims] == [2, 2, 1]
    assert kept() == [("sending", "")] * 5 + [("pending", "")] * 2
    assert {claim.batch.pk for claim in claims} == set(
        SmsBatch.objects.values_list("pk", flat=True)
    )


def test_batch_whose_messages_all_went_to_others_leaves_no_row():
    GatewayState.objects.current()  # writes the row
    write(4)
    found = candidates.due(4, 2)
    others = SmsBatch.objects.create(worker="elsewhere:1", lease_until="2100-01-01T00:00Z")
    claim(others, *found[0])
    [mine] = take(found)
    assert mine.messages == found[1]
    assert set(SmsBatch.objects.all()) == {others, mine.batch}


def test_results_that_are_over_together_are_recorded_in_one_transaction(run):
    write(4)
    claims = claim_due(2, 4)
    assert commits(lambda: run._record([Result.of(claim, proof(claim)) for claim in claims])) == 1
    assert kept() == [("accepted", "answered")] * 4
    assert run.report.statuses == {"accepted": 4}


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite keeps a value of any length")
def test_result_that_the_database_refuses_takes_no_other_with_it(run):
    write(6)
    first, second, third = claim_due(3, 6)
    proved = [proof(first), proof(second, id_length=65), proof(third)]
    run._record(list(map(Result.of, [first, second, third], proved)))
    good = [("accepted", "answered")] * 2
    assert kept() == [*good, *[("sending", "answered")] * 2, *good]
    assert run.report.failed
    assert run.report.statuses == {"accepted": 4}
