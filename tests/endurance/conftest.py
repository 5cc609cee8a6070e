"""The distribution, for the tests that follow the pages of a newcomer."""

from tests.repository.conftest import dist, tree, wheel

__all__ = ["dist", "tree", "wheel"]
