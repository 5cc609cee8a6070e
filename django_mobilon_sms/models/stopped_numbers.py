"""The stop list."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ..database import PrimaryQuerySet, user_field
from ..phone_numbers import mask_number


class StoppedNumber(models.Model):
    """A number that no message is sent to; ``outbox/stop_list.py`` adds it."""

    number = models.CharField(_("number"), max_length=16, unique=True)
    note = models.CharField(_("note"), max_length=200, blank=True, default="")
    created_by = user_field(_("created by"), blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    objects = PrimaryQuerySet.as_manager()

    class Meta:
        verbose_name = _("stopped number")
        verbose_name_plural = _("stop list")
        default_permissions = ("view", "add", "delete")

    def __str__(self) -> str:
        return mask_number(self.number)
