"""The rows about the line, and not about a message: the numbers it must not reach, and its pace."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .phone_numbers import mask_number
from .querysets import PrimaryQuerySet


class StoppedNumber(models.Model):
    """A number that nothing is sent to: ``stop_list.py`` adds it and cancels what waits for it."""

    number = models.CharField(_("number"), max_length=16, unique=True)
    note = models.CharField(_("note"), max_length=200, blank=True, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    objects = PrimaryQuerySet.as_manager()

    class Meta:
        verbose_name = _("stopped number")
        verbose_name_plural = _("stop list")
        default_permissions = ("view", "add", "delete")

    def __str__(self) -> str:
        return mask_number(self.number)


class SenderPace(models.Model):
    """What a sender used of its latest window: ``pace.py`` charges each claim to it."""

    source = models.CharField(_("sender"), max_length=32)
    #: The length of the windows; a day is one of the project's time zone.
    seconds = models.PositiveIntegerField(_("seconds"))
    #: Which window it is, counted from a fixed point of time.
    window = models.PositiveBigIntegerField(_("window"))
    #: Message parts claimed in it, with what an earlier window took beyond its limit.
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
