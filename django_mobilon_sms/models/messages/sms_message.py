"""The messages: fields, indexes, constraints."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.checks import CheckMessage
from django.db import models, router, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ...choices import ErrorCode, Priority, Resolution, Status
from ...conf import conf
from ...database import quoting_no_row, user_field
from ...exceptions import MessageIsWritten
from ...phone_numbers import mask_number
from ..batches import SmsBatch
from ..mailings import SmsMailing
from .changes import MessageQuerySet

# No message has an empty status. With one status only, PostgreSQL would not search the index by
# the status, and so read all of the index instead of the due messages.
_PENDING = Q(status=Status.PENDING) | Q(status="")


class SmsMessage(models.Model):
    """A message, written once and then changed only by the methods of ``MessageQuerySet``."""

    guid = models.UUIDField(_("guid"), default=uuid.uuid4, unique=True, editable=False)
    number = models.CharField(_("number"), max_length=16, help_text=_("E.164: +79135292926"))
    source = models.CharField(_("sender"), max_length=32)
    text = models.TextField(_("text"), blank=True)
    #: Whether its text is forgotten as soon as no request needs it.
    sensitive = models.BooleanField(_("sensitive"), default=False, db_default=False)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PENDING
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.NORMAL
    )
    send_at = models.DateTimeField(_("send at"), db_default=Now())
    due_at = models.DateTimeField(_("due at"), db_default=Now())
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    segments = models.PositiveSmallIntegerField(_("parts"))
    attempts = models.PositiveIntegerField(_("failed attempts"), default=0)
    resends = models.PositiveIntegerField(_("resends"), default=0)
    batch = models.ForeignKey(
        SmsBatch,
        verbose_name=_("batch"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="messages",
        # The batch is inserted by the same transaction that claims its messages, and a batch with
        # messages is never deleted. PostgreSQL would check that row by row at each commit.
        db_constraint=False,
    )
    gateway_id = models.CharField(_("gateway id"), max_length=64, blank=True, default="")
    gateway_status = models.IntegerField(_("gateway status"), null=True, blank=True)
    error_code = models.CharField(
        _("error"), max_length=20, choices=ErrorCode.choices, blank=True, default=""
    )
    resolution = models.CharField(
        _("resolution"), max_length=10, choices=Resolution.choices, blank=True, default=""
    )
    #: Who did it last, and when. ``Meta.indexes`` has smaller indexes.
    resolved_by = user_field(_("decided by"), blank=True, db_index=False)
    resolved_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    resent_by = user_field(_("sent again by"), blank=True, db_index=False)
    resent_at = models.DateTimeField(_("sent again at"), null=True, blank=True)
    cancelled_by = user_field(_("cancelled by"), blank=True, db_index=False)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, blank=True)
    tag = models.CharField(_("tag"), max_length=64, blank=True, default="")
    #: The mailing that wrote it: a tag can be typed by anybody.
    mailing = models.ForeignKey(
        SmsMailing,
        verbose_name=_("mailing"),
        # The database refuses to delete a mailing with messages. Django would look for them and
        # then delete by key, also a mailing that was confirmed in between.
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,  # ``Meta.indexes`` has a smaller one
    )
    created_by = user_field(_("created by"), blank=True, db_index=False)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)
    #: Since when no request needs its text: ``MOBILON_SMS_FORGET_TEXT_AFTER`` counts from here.
    forget_from = models.DateTimeField(_("forget from"), null=True, blank=True, editable=False)

    objects = MessageQuerySet.as_manager()

    #: Whether the outbox has just inserted this row; false if it found the row by its guid.
    was_written = False

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        permissions = [
            ("send_smsmessage", _("Can send, cancel, resolve and pause")),
            ("resend_smsmessage", _("Can send messages again")),
            ("view_smsmessage_text", _("Can see the texts of messages")),
        ]
        # PostgreSQL writes a changed row to each index that holds it, so most indexes leave out
        # rows that no query needs. MariaDB ignores conditions: the fields alone must serve there.
        # Beside these: the key; ``guid``, by which a repeated call and REST find a message; and
        # ``batch``, by which its outcome and its status queries do.
        indexes = [
            # worker/candidates.py: what is due, for each priority; operations/monitoring.py.
            models.Index(
                fields=["status", "priority", "due_at", "id"],
                condition=_PENDING,
                name="mobilon_sms_claim",
            ),
            # worker/candidates.py: what is due of one sender, where there is a pace.
            models.Index(
                fields=["status", "source", "priority", "due_at", "id"],
                condition=_PENDING,
                name="mobilon_sms_paced_claim",
            ),
            # worker/sweep.py: pending messages that have expired.
            models.Index(
                fields=["status", "expires_at"],
                condition=Q(expires_at__isnull=False),
                name="mobilon_sms_expiry",
            ),
            # The filters by status in the admin and REST, worker/sweep.py, what is undecided. With
            # the resolution, so that undecided messages are counted without their rows. Of all
            # statuses: a message that the gateway never reported about stays accepted for ever,
            # and without an entry a filter would read the whole table for the few there are.
            models.Index(fields=["status", "id", "resolution"], name="mobilon_sms_status"),
            # The search for a number and REST's; outbox/duplicates.py, outbox/recipient_limit.py.
            models.Index(fields=["number", "id"], name="mobilon_sms_number"),
            # The search for a tag in the admin, and REST's filter.
            models.Index(fields=["tag", "id"], condition=Q(tag__gt=""), name="mobilon_sms_tag"),
            # The messages of a mailing, and whether it has any before it is deleted.
            models.Index(
                fields=["mailing", "id"],
                condition=Q(mailing__isnull=False),
                name="mobilon_sms_mailing",
            ),
            # The search for the gateway's id in the admin.
            models.Index(
                fields=["gateway_id"], condition=Q(gateway_id__gt=""), name="mobilon_sms_gateway_id"
            ),
            # The filter by what happened, in the admin and REST.
            models.Index(
                fields=["error_code", "id"],
                condition=Q(error_code__gt=""),
                name="mobilon_sms_error",
            ),
            # operations/purging.py: oldest first; the reports, and the filters by time.
            models.Index(fields=["created_at"], name="mobilon_sms_created"),
            # REST's list in the order of sending.
            models.Index(
                fields=["sent_at"], condition=Q(sent_at__isnull=False), name="mobilon_sms_sent"
            ),
            # worker/sweep.py: texts that are due to be forgotten.
            models.Index(
                fields=["forget_from"],
                condition=Q(forget_from__isnull=False),
                name="mobilon_sms_forget",
            ),
            # REST's list of a client that sees its own messages only; a user who is deleted.
            models.Index(
                fields=["created_by", "id"],
                condition=Q(created_by__isnull=False),
                name="mobilon_sms_created_by",
            ),
            # A user who is deleted: Django empties the field.
            models.Index(
                fields=["resolved_by"],
                condition=Q(resolved_by__isnull=False),
                name="mobilon_sms_resolved_by",
            ),
            models.Index(
                fields=["resent_by"],
                condition=Q(resent_by__isnull=False),
                name="mobilon_sms_resent_by",
            ),
            models.Index(
                fields=["cancelled_by"],
                condition=Q(cancelled_by__isnull=False),
                name="mobilon_sms_cancelled_by",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="mobilon_sms_status_known"
            ),
            models.CheckConstraint(
                condition=Q(priority__in=Priority.values), name="mobilon_sms_priority_known"
            ),
            models.CheckConstraint(
                condition=Q(resolution__in=["", *Resolution.values]),
                name="mobilon_sms_resolution_known",
            ),
            models.CheckConstraint(
                condition=~Q(number="") & ~Q(source="") & Q(segments__gte=1),
                name="mobilon_sms_complete",
            ),
            models.CheckConstraint(
                condition=~Q(text="") | ~Q(status__in=[Status.PENDING, Status.SENDING]),
                name="mobilon_sms_text_until_sent",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("send_at")),
                name="mobilon_sms_expires_later",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.SENDING) | Q(batch__isnull=False),
                name="mobilon_sms_sending_in_batch",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[Status.ACCEPTED, Status.SENT, Status.DELIVERED])
                | (~Q(gateway_id="") & Q(accepted_at__isnull=False)),
                name="mobilon_sms_accepted_has_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{mask_number(self.number)} ({self.guid})"

    def __repr__(self) -> str:
        return f"<SmsMessage {self.guid}: {self.status}>"

    @quoting_no_row
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert a new row. Raise ``MessageIsWritten`` for one that exists."""
        if not self._state.adding:
            raise MessageIsWritten
        if conf.EVENTS is None:  # one statement needs no transaction
            super().save(*args, **kwargs)
            return
        alias = kwargs.get("using") or router.db_for_write(SmsMessage, instance=self)
        with transaction.atomic(using=alias, savepoint=False):
            super().save(*args, **kwargs)
            SmsMessage.objects.using(alias).record_new([self.pk])

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete an ended message. Raise ``ProtectedError`` for any other."""
        alias = kwargs.get("using") or router.db_for_write(SmsMessage, instance=self)
        return SmsMessage.objects.using(alias).filter(pk=self.pk).delete()

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        """Check as Django does, without the warning that MariaDB ignores conditions of indexes."""
        return [message for message in super().check(**kwargs) if message.id != "models.W037"]
