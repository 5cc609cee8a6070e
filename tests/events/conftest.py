"""Events are kept in these tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _events_are_kept(settings):
    settings.MOBILON_SMS_EVENTS = "30d"
