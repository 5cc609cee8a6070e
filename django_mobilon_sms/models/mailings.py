"""Mailings: uploaded lists that are confirmed within a day, or deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..choices import Priority
from ..database import PrimaryQuerySet, db_now, user_field

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from typing_extensions import Self

#: How long a mailing waits to be confirmed.
CONFIRM_WITHIN = timedelta(days=1)


class MailingQuerySet(PrimaryQuerySet):
    """Mailings, and their conditional updates."""

    def waiting(self) -> Self:
        """Mailings that can still be confirmed."""
        return self.filter(confirmed_at__isnull=True, created_at__gt=db_now() - CONFIRM_WITHIN)

    def forgotten(self) -> Self:
        """Mailings that nobody confirmed in time, on the primary database."""
        return self.for_write().filter(
            confirmed_at__isnull=True, created_at__lte=db_now() - CONFIRM_WITHIN
        )

    def forget(self) -> None:
        """Delete the mailings that nobody confirmed in time."""
        # Most often there are none, and then nothing needs a lock.
        if (overdue := self.forgotten()).exists():
            overdue.delete()

    def remembered(self) -> Self:
        """Mailings to show: all but the forgotten ones, which may not be deleted yet."""
        return self.filter(
            Q(confirmed_at__isnull=False) | Q(created_at__gt=db_now() - CONFIRM_WITHIN)
        )

    def confirm(self, *, by: AbstractBaseUser) -> int:
        """Confirm mailings that wait for it; return how many."""
        return self.waiting().update(confirmed_at=db_now(), confirmed_by=by)


class SmsMailing(models.Model):
    """An uploaded list. Confirming it writes its messages, once, and empties ``file``."""

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
    created_by = user_field(_("created by"))
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    confirmed_by = user_field(_("confirmed by"))
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True)
    written = models.PositiveIntegerField(_("messages"), null=True)

    objects = MailingQuerySet.as_manager()

    class Meta:
        verbose_name = _("mailing")
        verbose_name_plural = _("mailings")
        default_permissions = ()  # the permissions of messages decide

    def __str__(self) -> str:
        return self.name

    @property
    def tag(self) -> str:
        """The tag of its messages, to find them by. A person may have typed the same one."""
        return f"{self.name} #{self.pk}"
