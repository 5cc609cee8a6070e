"""Pages that run outside a request's transaction, also under ``ATOMIC_REQUESTS``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db import connections, transaction

if TYPE_CHECKING:
    from django.urls import URLPattern

    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyModelAdmin = admin.ModelAdmin


class NonAtomic(AnyModelAdmin):
    """Opt all views out of ``ATOMIC_REQUESTS``: they wait for the gateway, or retry."""

    def extra_urls(self) -> list[URLPattern]:
        """Return the addresses to put before Django's own, the last of which match any path."""
        return []

    def get_urls(self) -> list[URLPattern]:
        """Return all addresses, with non-atomic views."""
        urls = [*self.extra_urls(), *super().get_urls()]
        for url in urls:
            for alias in connections:
                transaction.non_atomic_requests(alias)(url.callback)
        return urls
