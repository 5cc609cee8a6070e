"""Lists that count rows up to a bound, because an exact count reads the whole table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.text import capfirst

from .non_atomic import AnyModelAdmin

if TYPE_CHECKING:
    RowPaginator = Paginator[Any]
else:
    RowPaginator = Paginator

#: Rows up to which a count is exact, and which the pages show.
MAX_COUNTED = 10_000


def count_up_to(rows: QuerySet[Any], most: int) -> int:
    """Return the number of rows, or ``most + 1`` for more than ``most``."""
    return rows.values("pk")[: most + 1].count()


class BoundedPaginator(RowPaginator):
    """The pages of the first ``MAX_COUNTED`` rows."""

    object_list: QuerySet[Any]

    @cached_property
    def _counted(self) -> int:
        return count_up_to(self.object_list, MAX_COUNTED)

    @property
    def count(self) -> int:
        """Return the number of rows that the pages show."""
        return min(self._counted, MAX_COUNTED)

    @property
    def has_more(self) -> bool:
        """Return whether there are rows that no page shows."""
        return self._counted > MAX_COUNTED


#: A primary key: a number that every database can hold.
PK = re.compile(r"[0-9]{1,18}")


class BoundedList(AnyModelAdmin):
    """A list under its own name, without counts of the whole table."""

    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    view_on_site = False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list under its own name. Refuse an action on what is no key."""
        if not all(map(PK.fullmatch, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            raise BadRequest("A primary key is a number.")
        context = {"title": capfirst(self.opts.verbose_name_plural)} | (extra_context or {})
        return super().changelist_view(request, context)
