"""The journal: one batch for each POST to the gateway, and its conditional updates."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage
from django.db import models
from django.db.models import Expression, Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ..choices import ErrorCode, Outcome
from ..database import (
    BINARY,
    INTEGER,
    JSON,
    TEXT,
    TIME,
    Change,
    PrimaryQuerySet,
    batch_key,
    db_now,
    update,
)

if TYPE_CHECKING:
    from typing_extensions import Self


#: How long after its lease a batch still counts as under way, where its worker did not close the
#: request itself: a worker may be suspended, and wake up, just between its last look at the lease
#: and the write. A minute is longer than what usually suspends one: a moved virtual machine, a
#: snapshot, a disk that does not answer.
RESEND_MARGIN = timedelta(minutes=1)

#: How long after acceptance the first status query is due.
FIRST_CHECK = timedelta(seconds=10)

GUID_BYTES = 16


class BatchQuerySet(PrimaryQuerySet):
    """Batches, and their conditional updates."""

    def under_way(self) -> Self:
        """Batches whose request may still leave.

        The worker of a ``lost`` batch may be suspended, not dead.
        """
        not_closed = self.filter(outcome__in=["", Outcome.LOST])
        return not_closed.filter(lease_until__gt=db_now() - RESEND_MARGIN)

    def lost(self) -> Self:
        """Open batches whose lease has run out, because their worker vanished."""
        opened = self.for_write().filter(outcome="", applied_at__isnull=True)
        return opened.filter(lease_until__lte=db_now())

    def unapplied(self) -> Self:
        """Batches whose outcome is recorded, but not yet applied to their messages."""
        return self.for_write().filter(applied_at__isnull=True).exclude(outcome="")

    def checkable(self) -> Self:
        """Batches whose messages are due to be queried for their status, on the primary."""
        return self.for_write().filter(next_check_at__lte=db_now())

    def begin_checks(self) -> int:
        """Let the statuses of the messages be queried, because some have just been accepted."""
        return self.update(next_check_at=db_now() + FIRST_CHECK)

    def close(
        self,
        batch: SmsBatch,
        outcome: Outcome,
        *,
        error_code: str = "",
        http_code: int | None = None,
        guids: Collection[str] = (),
        reply: Iterable[Sequence[Any]] = (),
        applied: bool = False,
        accepted: bool = False,
    ) -> int:
        """Record the outcome of a batch; return 1, or 0 if it already has one.

        Any other outcome replaces ``lost``, because then its worker was alive after all.
        ``applied``: the caller changes the messages in the same transaction. ``accepted``: some
        of them become accepted by that, so that their statuses will be queried.
        """
        return update(
            _close,
            self.model,
            accepted,
            batch=batch_key(batch),
            outcome=Value(outcome, TEXT),
            replaced=Value("" if outcome == Outcome.LOST else Outcome.LOST, TEXT),
            error_code=Value(error_code, TEXT),
            http_code=Value(http_code, INTEGER),
            message_count=Value(len(guids), INTEGER),
            packed_guids=Value(pack_guids(guids), BINARY),
            answers=Value(pack_reply(reply, guids), JSON),
            applied_at=db_now() if applied else Value(None, TIME),
        )


class SmsBatch(models.Model):
    """One POST to the gateway, committed before it is sent.

    Its primary key, made by the worker, is the token in every later update of its messages.
    """

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    worker = models.CharField(_("worker"), max_length=80)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    lease_until = models.DateTimeField(_("lease until"))
    #: The counter of ``GatewayState`` at the claim.
    breaker_changes = models.PositiveBigIntegerField(_("changes of the breaker"), default=0)
    outcome = models.CharField(
        _("outcome"), max_length=10, choices=Outcome.choices, blank=True, default=""
    )
    http_code = models.PositiveSmallIntegerField(_("HTTP code"), null=True, blank=True)
    error_code = models.CharField(
        _("error"), max_length=20, choices=ErrorCode.choices, blank=True, default=""
    )
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    #: When the outcome was applied to the messages; empty until then.
    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)
    #: When to query the statuses of its messages; empty if none is queried any more.
    next_check_at = models.DateTimeField(_("next check at"), null=True, blank=True)
    #: The number of messages in the request, written when it is closed.
    message_count = models.PositiveSmallIntegerField(_("messages"), default=0)
    packed_guids = models.BinaryField(_("guids"), default=bytes, blank=True)
    #: What was parsed from the reply, never the raw reply: ``[[position, status, id], ...]``, with
    #: positions in ``guids``. With the guids again, a row would be three times as large.
    answers = models.JSONField(_("reply"), default=list, blank=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches (journal)")
        default_permissions = ("view",)
        indexes = [
            # worker/sweep.py: what is open, in the order of the leases.
            models.Index(fields=["applied_at", "lease_until"], name="mobilon_sms_batch_open"),
            # The admin's list, the last requests in a monitor, operations/purging.py.
            models.Index(fields=["created_at"], name="mobilon_sms_batch_created"),
            # worker/statuses/queries.py: what is due to be queried.
            models.Index(
                fields=["next_check_at"],
                condition=Q(next_check_at__isnull=False),
                name="mobilon_sms_batch_check",
            ),
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

    @property
    def guids(self) -> list[str]:
        """The guids of the messages in the request, in its order."""
        packed = bytes(self.packed_guids)
        starts = range(0, len(packed), GUID_BYTES)
        return [str(uuid.UUID(bytes=packed[start : start + GUID_BYTES])) for start in starts]

    @property
    def reply(self) -> list[list[Any]]:
        """What was parsed from the reply: ``[[guid, status, id], ...]``."""
        guids = self.guids
        return [[guids[position], status, id_] for position, status, id_ in self.answers]

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        """Check as Django does, without the warning that MariaDB ignores conditions of indexes."""
        return [message for message in super().check(**kwargs) if message.id != "models.W037"]


def pack_guids(guids: Iterable[str]) -> bytes:
    """Return the guids as ``SmsBatch.packed_guids`` stores them."""
    return bytes.fromhex("".join(guids).replace("-", ""))


def pack_reply(reply: Iterable[Sequence[Any]], guids: Iterable[str]) -> list[list[Any]]:
    """Return the reply ``[(guid, status, id), ...]`` as ``SmsBatch.answers`` stores it.

    Answers about other guids, which only a backend of another project's can give, are left out.
    """
    positions = {guid: position for position, guid in enumerate(guids)}
    own = (answer for answer in reply if answer[0] in positions)
    return [[positions[guid], status, id_] for guid, status, id_ in own]


def _close(
    batches: BatchQuerySet,
    accepted: bool,
    *,
    batch: Expression,
    replaced: Expression,
    **values: Expression,
) -> Change:
    replaceable = batches.filter(Q(outcome="") | Q(outcome=replaced), pk=batch)
    times = {"closed_at": db_now(), "next_check_at": db_now() + FIRST_CHECK if accepted else None}
    return replaceable, values | times
