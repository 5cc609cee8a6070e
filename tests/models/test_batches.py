"""The conditional updates of batches."""

from __future__ import annotations

import pytest

from django_mobilon_sms.choices import Outcome
from django_mobilon_sms.models import SmsBatch
from tests.models.factories import (
    PAST,
    batch,
)

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


def test_batch_within_its_lease_is_not_lost():
    batch()
    assert not SmsBatch.objects.lost().exists()
    assert not SmsBatch.objects.unapplied().exists()
