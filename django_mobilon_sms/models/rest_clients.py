"""Rows about the clients of REST: their idempotency keys and daily budgets."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ..database import PrimaryQuerySet, db_now


class IdempotencyKeyQuerySet(PrimaryQuerySet):
    """Keys, and how one is found."""

    def kept(self, user_pk: object, key_hash: str) -> IdempotencyKey | None:
        """Return this user's key as last committed; ``None`` if nothing was written under it."""
        rows = self.for_write().filter(user=user_pk, key_hash=key_hash)
        if not transaction.get_autocommit(using=rows.db):
            # A transaction that reads from a snapshot would miss later commits.
            rows = rows.select_for_update()
        found: IdempotencyKey | None = rows.first()
        return found


class IdempotencyKey(models.Model):
    """A key of a user, written in the transaction of its messages so that a retry finds them.

    It is kept at least as long as one of its messages (``operations/purging.py``).
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,  # the unique constraint begins with it
    )
    #: A hash, because a database may compare "a" and "A" as equal, and a key may say too much.
    key_hash = models.CharField(_("key"), max_length=64)
    request_hash = models.CharField(_("request"), max_length=64)
    #: The guids of the request's messages, in its order.
    guids = models.JSONField(_("guids"), default=list)
    #: The index, field, code and message of each fault in the rows that were skipped.
    faults = models.JSONField(_("faults"), default=list)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        default_permissions = ()
        indexes = [models.Index(fields=["created_at"], name="mobilon_sms_key_created")]
        constraints = [
            models.UniqueConstraint(fields=["user", "key_hash"], name="mobilon_sms_key_once")
        ]

    def __str__(self) -> str:
        return self.key_hash


class DailyBudgetQuerySet(PrimaryQuerySet):
    """Budgets, and how one is locked."""

    def make(self, user_pk: object) -> None:
        """Make this user's row, where ``lock()`` needs that."""
        self.commit_missing(self._rows(user_pk))

    def lock(self, user_pk: object) -> DailyBudget:
        """Return this user's budget, inserted if missing and locked until the transaction ends.

        ``now`` is read after the lock was taken, so that two requests at midnight agree on the day.
        """
        self.lock_rows(self._rows(user_pk))
        # FOR UPDATE, because a transaction that reads from a snapshot would miss later commits.
        budget: DailyBudget = self.select_for_update().annotate(now=db_now()).get(pk=user_pk)
        return budget

    def _rows(self, user_pk: object) -> list[DailyBudget]:
        return [self.model(user_id=user_pk, locked_at=db_now())]


class DailyBudget(models.Model):
    """The segments that a user wrote over REST on the last day with a request, in ``TIME_ZONE``."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="+",
    )
    day = models.DateField(_("day"), null=True)
    segments = models.PositiveIntegerField(_("parts"), default=0)
    locked_at = models.DateTimeField(_("locked at"))

    objects = DailyBudgetQuerySet.as_manager()

    #: The database's time when the row was locked.
    now: datetime

    class Meta:
        verbose_name = _("daily budget")
        verbose_name_plural = _("daily budgets")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.day}: {self.segments}"
