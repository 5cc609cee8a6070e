"""The conditional updates of batches."""

from __future__ import annotations

from uuid import uuid4

import pytest

from django_mobilon_sms.choices import Outcome
from django_mobilon_sms.models import SmsBatch
from tests.models.factories import GUID, PAST, batch

pytestmark = [pytest.mark.databases, pytest.mark.django_db]


def test_outcome_is_recorded_once_and_replaces_only_lost():
    mine = batch(lease_until=PAST)
    batches = SmsBatch.objects
    assert list(batches.lost()) == [mine]
    assert batches.close(mine, Outcome.LOST) == 1
    assert batches.close(mine, Outcome.LOST) == 0
    assert list(batches.lost()) == []
    assert batches.close(mine, Outcome.ANSWERED, http_code=200) == 1
    assert batches.close(mine, Outcome.NO_PROOF) == 0
    mine.refresh_from_db()
    assert (mine.outcome, mine.http_code, mine.applied_at) == ("answered", 200, None)
    assert list(SmsBatch.objects.unapplied()) == [mine]


def test_batch_keeps_the_guids_of_its_messages_and_the_reply():
    mine, other, elsewhere = batch(), uuid4(), str(uuid4())
    guids = [str(GUID), str(other)]
    reply = [(str(other), 0, "58adc4b8"), (str(other), None, None), (str(GUID), 1, "")]
    foreign = (elsewhere, 0, "58adc4b9")
    SmsBatch.objects.close(mine, Outcome.ANSWERED, guids=guids, reply=[foreign, *reply])
    mine.refresh_from_db()
    assert mine.message_count == 2
    assert bytes(mine.packed_guids) == GUID.bytes + other.bytes
    assert mine.answers == [[1, 0, "58adc4b8"], [1, None, None], [0, 1, ""]]
    assert mine.guids == guids
    assert mine.reply == [list(answer) for answer in reply]


def test_batch_within_its_lease_is_not_lost():
    batch()
    assert not SmsBatch.objects.lost().exists()
    assert not SmsBatch.objects.unapplied().exists()
