"""The history of rows: sentences are kept in English and translated when they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, override

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyModelAdmin = admin.ModelAdmin


#: The end of an entry about what a batch had done.
_BATCH = re.compile(r"\nbatch ([0-9a-f-]{36})$")


def record(
    rows: Iterable[Any], sentence: Any, *, by: AbstractBaseUser, batch: UUID | None = None
) -> None:
    """Add a translatable sentence to the history of these rows, and the batch that it is about."""
    with override(None):
        english = f"{sentence}\nbatch {batch}" if batch else str(sentence)
    LogEntry.objects.log_actions(by.pk, rows, CHANGE, english)


def shown(entry: LogEntry) -> str:
    """Return the sentence of an entry in the language of the reader."""
    return gettext(_BATCH.sub("", entry.get_change_message()))


def batch_of(entry: LogEntry) -> UUID | None:
    """Return the batch that the entry is about."""
    found = _BATCH.search(entry.change_message)
    return UUID(found[1]) if found else None


class TranslatedHistory(AnyModelAdmin):
    """Django's page "History", in the language of the reader."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show Django's page, whose sentences are translated before it is rendered."""
        response = super().history_view(request, object_id, extra_context)
        for entry in (getattr(response, "context_data", None) or {}).get("action_list", ()):
            entry.change_message = shown(entry)
        return response
