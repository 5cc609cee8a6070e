"""How many segments each sender has used of its current windows."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..database import PrimaryQuerySet


class SenderPace(models.Model):
    """The use of a sender's latest window, to which ``limits/pace.py`` charges each claim."""

    source = models.CharField(_("sender"), max_length=32)
    #: The length of a window; a day starts at midnight of the project's time zone.
    seconds = models.PositiveIntegerField(_("seconds"))
    #: The number of the window, counted from a fixed point of time.
    window = models.PositiveBigIntegerField(_("window"))
    #: Segments claimed in the window, with those that an earlier window took beyond its limit.
    used = models.PositiveIntegerField(_("parts"), default=0)

    objects = PrimaryQuerySet.as_manager()

    class Meta:
        verbose_name = _("pace of a sender")
        verbose_name_plural = _("pace of the senders")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["source", "seconds"], name="mobilon_sms_pace_window")
        ]

    def __str__(self) -> str:
        return f"{self.source}: {self.used} in {self.seconds} s"
