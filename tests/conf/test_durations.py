"""Times in sentences."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from django.utils.translation import override

from django_mobilon_sms.conf import show_time


@pytest.mark.parametrize(
    ("language", "shown"), [("en", "11/29/2026 08:05"), ("ru", "29.11.2026 08:05")]
)
def test_time_in_a_sentence_is_local_and_ends_without_a_full_stop(language, shown):
    with override(language):
        assert show_time(datetime(2026, 11, 29, 1, 5, 30, tzinfo=timezone.utc)) == shown
        assert show_time(None) == ""
