"""The rows of the outbox: messages, the batches they went with, the state of the gateway."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.db import models, router
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from . import line_rows, mailing_rows  # noqa: F401  models in rooms of their own
from .batches import BatchQuerySet
from .breaker import StateQuerySet
from .choices import ErrorCode, Outcome, Priority, Resolution, Status
from .exceptions import MessageIsWritten
from .phone_numbers import mask_number
from .querysets import MessageQuerySet, quoting_no_row

# No message has an empty status. PostgreSQL would not look up in the index what its condition says
# already, and read all of it instead of what is due.
_PENDING = Q(status=Status.PENDING) | Q(status="")


class SmsMessage(models.Model):
    """A message, written once. Everything after its creation is a conditional update."""

    guid = models.UUIDField(_("guid"), default=uuid.uuid4, unique=True, editable=False)
    number = models.CharField(_("number"), max_length=16, help_text=_("E.164: +79135292926"))
    source = models.CharField(_("sender"), max_length=32)
    text = models.TextField(_("text"), blank=True)
    #: Its text is forgotten as soon as it has gone out, or will not go out any more.
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
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    resends = models.PositiveIntegerField(_("resends"), default=0)
    batch = models.ForeignKey(
        "SmsBatch",
        verbose_name=_("batch"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="messages",
    )
    gateway_id = models.CharField(_("gateway id"), max_length=64, blank=True, default="")
    gateway_status = models.IntegerField(_("gateway status"), null=True, blank=True)
    error_code = models.CharField(
        _("error"), max_length=20, choices=ErrorCode.choices, blank=True, default=""
    )
    resolution = models.CharField(
        _("resolution"), max_length=10, choices=Resolution.choices, blank=True, default=""
    )
    #: Who last decided about the message, and when: a resolution or a resend.
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("decided by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # ``Meta.indexes`` has a smaller one
    )
    resolved_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    tag = models.CharField(_("tag"), max_length=64, blank=True, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # ``Meta.indexes`` has a smaller one
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)
    next_check_at = models.DateTimeField(_("next check at"), null=True, blank=True)
    #: Since when its text is not needed, where ``MOBILON_SMS_FORGET_TEXT_AFTER`` counts from it.
    forget_from = models.DateTimeField(_("forget from"), null=True, blank=True, editable=False)

    objects = MessageQuerySet.as_manager()

    #: Whether the outbox wrote this row just now, or found it under its guid.
    was_written = False

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        permissions = [
            ("send_smsmessage", _("Can send, cancel, resend, resolve and pause")),
            ("view_smsmessage_text", _("Can see the texts of messages")),
        ]
        # PostgreSQL writes a changed row into each index that holds it: most leave out what nothing
        # asks for. MariaDB knows no conditions, so the fields alone must serve the query.
        indexes = [
            models.Index(
                fields=["status", "priority", "due_at", "id"],
                condition=_PENDING,
                name="mobilon_sms_claim",
            ),
            models.Index(
                fields=["status", "source", "priority", "due_at", "id"],
                condition=_PENDING,
                name="mobilon_sms_paced_claim",
            ),
            models.Index(
                fields=["status", "expires_at"],
                condition=Q(expires_at__isnull=False),
                name="mobilon_sms_expiry",
            ),
            models.Index(
                fields=["next_check_at"],
                condition=Q(next_check_at__isnull=False),
                name="mobilon_sms_check",
            ),
            # With the resolution, so that what waits for a decision is counted without its rows.
            models.Index(fields=["status", "id", "resolution"], name="mobilon_sms_status"),
            models.Index(fields=["number", "id"], name="mobilon_sms_number"),
            models.Index(fields=["tag", "id"], condition=Q(tag__gt=""), name="mobilon_sms_tag"),
            models.Index(
                fields=["gateway_id"], condition=Q(gateway_id__gt=""), name="mobilon_sms_gateway_id"
            ),
            models.Index(
                fields=["error_code", "id"],
                condition=Q(error_code__gt=""),
                name="mobilon_sms_error",
            ),
            models.Index(fields=["created_at"], name="mobilon_sms_created"),
            models.Index(
                fields=["sent_at"], condition=Q(sent_at__isnull=False), name="mobilon_sms_sent"
            ),
            models.Index(
                fields=["forget_from"],
                condition=Q(forget_from__isnull=False),
                name="mobilon_sms_forget",
            ),
            models.Index(
                fields=["created_by", "id"],
                condition=Q(created_by__isnull=False),
                name="mobilon_sms_created_by",
            ),
            models.Index(
                fields=["resolved_by"],
                condition=Q(resolved_by__isnull=False),
                name="mobilon_sms_resolved_by",
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
        """Write a new row. Raises ``MessageIsWritten`` for one that exists."""
        if not self._state.adding:
            raise MessageIsWritten
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete an ended message. Raises ``ProtectedError`` for any other."""
        alias = kwargs.get("using") or router.db_for_write(SmsMessage, instance=self)
        return SmsMessage.objects.using(alias).filter(pk=self.pk).delete()

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        """As Django, without the warning that MariaDB makes whole indexes of these: it is meant."""
        return [found for found in super().check(**kwargs) if found.id != "models.W037"]


class SmsBatch(models.Model):
    """One POST to the gateway, committed before it leaves: the journal, and the proof.

    Its primary key, made by the worker, is the token in every later update of its messages.
    """

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    worker = models.CharField(_("worker"), max_length=80)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    lease_until = models.DateTimeField(_("lease until"))
    outcome = models.CharField(
        _("outcome"), max_length=10, choices=Outcome.choices, blank=True, default=""
    )
    http_code = models.PositiveSmallIntegerField(_("HTTP code"), null=True, blank=True)
    error_code = models.CharField(
        _("error"), max_length=20, choices=ErrorCode.choices, blank=True, default=""
    )
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    #: When the outcome reached the messages; empty while it still has to.
    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)
    guids = models.JSONField(_("guids"), default=list, blank=True)
    #: What was parsed from the reply: ``[[guid, status, id], ...]``, never the raw reply.
    reply = models.JSONField(_("reply"), default=list, blank=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches (journal)")
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["applied_at", "lease_until"], name="mobilon_sms_batch_open"),
            models.Index(fields=["created_at"], name="mobilon_sms_batch_created"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=["", *Outcome.values]), name="mobilon_sms_outcome_known"
            ),
            models.CheckConstraint(
                condition=Q(outcome="") | Q(closed_at__isnull=False),
                name="mobilon_sms_outcome_closed",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class GatewayState(models.Model):
    """One row: the operator's pause, and the breaker that trips after trouble."""

    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("paused by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    paused_at = models.DateTimeField(_("paused at"), null=True, blank=True)
    #: Empty while all is well; in the past: one message may probe the gateway.
    blocked_until = models.DateTimeField(_("blocked until"), null=True, blank=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    #: The batch that probes the gateway, and how long it counts as under way.
    probe = models.UUIDField(_("probe"), null=True, blank=True)
    probe_until = models.DateTimeField(_("probe until"), null=True, blank=True)
    #: A POST begun before this says nothing about the gateway's state now.
    changed_at = models.DateTimeField(_("changed at"), db_default=Now())

    objects = StateQuerySet.as_manager()

    #: The database's time when the row was read; set by ``objects.current()``.
    now: datetime
    #: Whether any number is stopped; set with it.
    stops = False

    class Meta:
        verbose_name = _("gateway state")
        verbose_name_plural = _("gateway state")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return "paused" if self.paused_at else "blocked" if self.blocked_until else "ready"
