from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_mobilon_sms.sandbox import Sandbox
from tests.support.broken_replies import BROKEN_REPLIES


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(faults=BROKEN_REPLIES) as sandbox:
        yield sandbox
