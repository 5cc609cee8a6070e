"""The rows of mailings: lists that wait to be confirmed once, or are forgotten after a day."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..choices import Priority
from .clock import db_now
from .primary_queryset import PrimaryQuerySet

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from typing_extensions import Self

#: How long a list waits to be confirmed.
KEPT = timedelta(days=1)


class MailingQuerySet(PrimaryQuerySet):
    """Mailings."""

    def waiting(self) -> Self:
        """Those that can still be confirmed."""
        return self.filter(confirmed_at__isnull=True, created_at__gt=db_now() - KEPT)

    def forgotten(self) -> Self:
        """Those that nobody confirmed in time."""
        return self.for_write().filter(confirmed_at__isnull=True, created_at__lte=db_now() - KEPT)

    def forget(self) -> None:
        """Delete those; most often there are none."""
        if (late := self.forgotten()).exists():
            late.delete()

    def remembered(self) -> Self:
        """All but the forgotten ones, which are there until something deletes them."""
        return self.filter(Q(confirmed_at__isnull=False) | Q(created_at__gt=db_now() - KEPT))

    def confirm(self, *, by: AbstractBaseUser) -> int:
        """Confirm what waits for it; the number of mailings whose messages are to be written."""
        return self.waiting().update(confirmed_at=db_now(), confirmed_by=by)


class SmsMailing(models.Model):
    """A list that was uploaded: it waits to be confirmed, which writes its messages, once.

    They carry ``tag``. The file is forgotten then, and a mailing that nobody confirms after a day.
    """

    name = models.CharField(pgettext_lazy("mailing", "name"), max_length=48)
    text = models.TextField(_("text"))
    source = models.CharField(_("sender"), max_length=32, blank=True, default="")
    send_at = models.DateTimeField(_("send at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.NORMAL
    )
    file = models.BinaryField(_("file"), default=b"")
    file_name = models.CharField(_("file name"), max_length=255)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("confirmed by"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True)
    written = models.PositiveIntegerField(_("messages"), null=True)

    objects = MailingQuerySet.as_manager()

    class Meta:
        verbose_name = _("mailing")
        verbose_name_plural = _("mailings")
        default_permissions = ()  # those of messages decide

    def __str__(self) -> str:
        return self.name

    @property
    def tag(self) -> str:
        """What all its messages carry, and no other mailing's."""
        return f"{self.name} #{self.pk}"
