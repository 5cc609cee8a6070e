"""The field for a person who did something to a row."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models


def user_field(label: Any, **options: Any) -> models.ForeignKey[Any, Any]:
    """Return a foreign key to the project's user, emptied when that user is deleted."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=label,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        **options,
    )
