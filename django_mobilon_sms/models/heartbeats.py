"""Heartbeats: the last sign of life of the workers on each host."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ..choices import WorkerKind
from ..database import PrimaryQuerySet, ShortLockWaits, db_now, short_lock_waits

#: How long the heartbeat of a host that has gone is kept.
KEPT = timedelta(days=1)


class HeartbeatQuerySet(PrimaryQuerySet):
    """Heartbeats, and how they are written."""

    def beat(self, kind: WorkerKind, host: str) -> None:
        """Write that a worker of this kind runs on this host now: one UPDATE, unless it is new.

        A new host or kind is inserted, and old rows are deleted then: hosts of containers have a
        new name after each start.
        """
        rows = self.for_write()
        with short_lock_waits(rows.db):
            if rows.filter(ShortLockWaits(), host=host, kind=kind).update(beat_at=db_now()):
                return
            rows.bulk_create([self.model(host=host, kind=kind)], ignore_conflicts=True)
            rows.exclude(beat_at__range=(db_now() - KEPT, db_now() + KEPT)).delete()

    def past(self) -> HeartbeatQuerySet:
        """Heartbeats up to now, the newest first; a wrong clock wrote those of the future."""
        return self.for_write().filter(beat_at__lte=db_now()).order_by("-beat_at")


class Heartbeat(models.Model):
    """The last time when a worker of one kind was seen running on one host."""

    host = models.CharField(_("host"), max_length=64)
    kind = models.CharField(_("kind"), max_length=10, choices=WorkerKind.choices)
    beat_at = models.DateTimeField(_("last seen"), db_default=Now())

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["host", "kind"], name="mobilon_sms_heartbeat_host")
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.host}"
