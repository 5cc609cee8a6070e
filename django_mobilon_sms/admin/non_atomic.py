"""Pages that run outside a request's transaction, and answer when the database is busy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .actions import confirmation
from .database_busy import DatabaseBusy

if TYPE_CHECKING:
    from django.urls import URLPattern

    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyModelAdmin = admin.ModelAdmin

View = Callable[..., HttpResponseBase]

BUSY = _("The database is busy. Nothing was changed; try again.")
CHOOSE_FILE = _("Go back to the form, and choose the file again.")


class NonAtomic(AnyModelAdmin):
    """Opt all views out of ``ATOMIC_REQUESTS``: they wait for the gateway, or retry."""

    def extra_urls(self) -> list[URLPattern]:
        """Return the addresses to put before Django's own, the last of which match any path."""
        return []

    def get_urls(self) -> list[URLPattern]:
        """Return all addresses, with non-atomic views."""
        urls = [*self.extra_urls(), *super().get_urls()]
        for url in urls:
            url.callback = self._answers_when_busy(url.callback)
            for alias in connections:
                transaction.non_atomic_requests(alias)(url.callback)
        return urls

    def _answers_when_busy(self, view: View) -> View:
        """Return the view, with a page to post the same fields again if it raises."""

        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)
            except DatabaseBusy:
                ask = partial(confirmation.ask, self, request, title=BUSY)
                if request.FILES:  # a page cannot post a file again
                    page = ask(lines=[CHOOSE_FILE], back=request.path)
                else:
                    start = reverse("admin:index", current_app=self.admin_site.name)
                    again = ("_again", _("Try again"))
                    page = ask(button=again, fields=_posted(request), back=start)
                page.status_code = 503
                return page

        return answer


def _posted(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the fields that were posted, without Django's own token."""
    lists = [(name, values) for name, values in request.POST.lists() if not name.startswith("csrf")]
    return [(name, value) for name, values in lists for value in values]
