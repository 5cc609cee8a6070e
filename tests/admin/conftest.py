"""People of the staff, and both ways a project may run its requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from tests.support.admin_door import EVERYTHING, person


@pytest.fixture
def client(db: None) -> Client:
    """Anna, who has every permission of the app."""
    return person(*EVERYTHING)


@pytest.fixture
def reader(db: None) -> Client:
    """Sees messages, but not their texts."""
    return person("view_smsmessage", name="reader")


@pytest.fixture(params=[False, True], ids=["", "ATOMIC_REQUESTS"])
def atomic_requests(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Run a test without and with Django's ``ATOMIC_REQUESTS``."""
    connection.settings_dict["ATOMIC_REQUESTS"] = request.param
    yield request.param
    connection.settings_dict["ATOMIC_REQUESTS"] = False
