"""When the log last had an ERROR for each cause that a person must remove."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ..database import PrimaryQuerySet, db_now

#: The shortest time between two lines with level ERROR for one cause, across all hosts.
REPORT_EVERY = timedelta(hours=1)

#: Longer than a statement waits for the lock of a row.
LONGEST_LOCK_WAIT = timedelta(minutes=1)


class ReportedErrorQuerySet(PrimaryQuerySet):
    """The reported errors, and the conditional update that one process wins."""

    def report(self, name: str) -> bool:
        """Return whether to report this error now, because nobody did within ``REPORT_EVERY``."""
        _row, is_new = self.for_write().get_or_create(name=name)
        if is_new:
            return True
        # A clock that was ahead must not hide the error until then. But a statement that waited for
        # the row has the time of its beginning, and finds the report of the other a little later.
        is_ahead = Q(reported_at__gt=db_now() + LONGEST_LOCK_WAIT)
        is_due = is_ahead | Q(reported_at__lte=db_now() - REPORT_EVERY)
        reported = self.for_write().filter(is_due, name=name)
        return reported.update(reported_at=db_now()) == 1


class ReportedError(models.Model):
    """One row for each error that was reported, such as refused credentials."""

    name = models.CharField(_("name"), max_length=20, primary_key=True)
    reported_at = models.DateTimeField(_("reported at"), db_default=Now())

    objects = ReportedErrorQuerySet.as_manager()

    class Meta:
        verbose_name = _("reported error")
        verbose_name_plural = _("reported errors")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
