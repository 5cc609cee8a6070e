"""Counting up to a bound: an exact count reads the whole table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

if TYPE_CHECKING:
    RowPaginator = Paginator[Any]
else:
    RowPaginator = Paginator

#: Up to so many rows a count is exact.
MOST = 10_000


def count_up_to(rows: QuerySet[Any], most: int) -> int:
    """How many rows there are; ``most + 1`` for more than ``most``."""
    return rows.values("pk")[: most + 1].count()


def count_up_to_most(rows: QuerySet[Any]) -> int:
    """How many rows there are; ``MOST + 1`` for more than ``MOST``."""
    return count_up_to(rows, MOST)


class BoundedPaginator(RowPaginator):
    """The pages of the first ``MOST`` rows."""

    object_list: QuerySet[Any]

    @cached_property
    def _counted(self) -> int:
        return count_up_to_most(self.object_list)

    @property
    def count(self) -> int:
        """How many rows the pages show."""
        return min(self._counted, MOST)

    @property
    def has_more(self) -> bool:
        """Whether there are rows that no page shows."""
        return self._counted > MOST
