"""The keys under which clients wrote messages."""

from __future__ import annotations

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ..database import PrimaryQuerySet


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
