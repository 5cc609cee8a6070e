"""Long lists in chunks."""

from __future__ import annotations

import pytest

from django_mobilon_sms.database import chunked


@pytest.mark.parametrize(
    ("count", "chunks"),
    [(0, []), (2, [[0, 1]]), (5, [[0, 1], [2, 3], [4]])],
)
def test_items_are_chunked_in_their_order(count, chunks):
    assert list(chunked(iter(range(count)), 2)) == chunks
