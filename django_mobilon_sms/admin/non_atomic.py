"""Pages outside a request's transaction, also under ``ATOMIC_REQUESTS``."""

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
    """For what waits for the gateway, or is repeated: it opens its own where it writes."""

    def get_urls(self) -> list[URLPattern]:
        """All of them so."""
        urls = super().get_urls()
        for url in urls:
            for alias in connections:
                transaction.non_atomic_requests(alias)(url.callback)
        return urls
