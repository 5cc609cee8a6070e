"""The mistakes of ``make mistakes`` fit the app and the tests as they are now."""

from __future__ import annotations

from importlib import import_module

import pytest

from tests.support.mistakes import MISTAKES, Run, caught, stale


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_mistake_fits_the_app_and_names_a_test_that_exists(mistake):
    file, test = mistake.test.split("::")
    assert not stale(mistake)
    module = file.removesuffix(".py").replace("/", ".")
    assert callable(getattr(import_module(f"tests.{module}"), test))


def test_mistakes_differ():
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES)
    assert len({(mistake.file, mistake.old, mistake.new) for mistake in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize(
    ("code", "failed", "reason", "is_caught"),
    [
        (0, "", "", False),
        (1, "tests/test_x.py::test_y", "assert 1 == 2", True),
        (1, "tests/test_x.py::test_y", "TypeError: the mistake does not even run", False),
        (1, "", "", False),  # an error in a fixture
        (2, "", "", False),
        (4, "", "", False),
        (5, "", "", False),
        (None, "", "", False),  # it did not end
    ],
)
def test_only_a_test_that_fails_catches_a_mistake(code, failed, reason, is_caught):
    assert caught(Run(code, failed, reason, "")) == is_caught
