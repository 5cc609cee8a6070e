"""Fixtures of all tests of REST."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from tests.support.rest_door import ALL, login


@pytest.fixture(autouse=True)
def _fresh_throttles() -> None:
    cache.clear()


@pytest.fixture
def client() -> APIClient:
    return login(*ALL)
