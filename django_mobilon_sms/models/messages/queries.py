"""Questions about messages. Each returns a queryset and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce

from ...choices import ErrorCode, Status
from ...conf import conf
from ...database import PrimaryQuerySet, db_now
from ..batches import SmsBatch
from ..stopped_numbers import StoppedNumber

if TYPE_CHECKING:
    from typing_extensions import Self


def has(field: str, value: str) -> Q:
    """Return the condition for messages with this ``tag`` or ``gateway_id``.

    The indexes of both leave out empty values, and SQLite uses such an index only for a query that
    leaves them out too.
    """
    return Q((field, value), (f"{field}__gt", ""))


def asked_statuses() -> tuple[Status, ...]:
    """Return the statuses that are queried: where no code means delivered, nothing follows sent."""
    if "delivered" in conf.STATUS_REPLIES.values():
        return (Status.ACCEPTED, Status.SENT)
    return (Status.ACCEPTED,)


def in_asked_batch() -> Exists:
    """Return the condition for messages whose batch is still queried."""
    return Exists(SmsBatch.objects.filter(pk=OuterRef("batch_id"), next_check_at__isnull=False))


def ended() -> Q:
    """Return the condition for messages that will not change any more."""
    asked = Q(status__in=asked_statuses()) & Q(in_asked_batch())
    return (
        Q(status__in=[Status.CANCELLED, Status.EXPIRED, Status.FAILED, Status.DELIVERED])
        | (Q(status=Status.UNKNOWN) & ~Q(resolution=""))
        | (Q(status__in=[Status.ACCEPTED, Status.SENT]) & ~asked)
    )


class MessageQueries(PrimaryQuerySet):
    """Messages, by the questions that the app asks about them."""

    def ended(self) -> Self:
        """Messages that will not change any more."""
        return self.filter(ended())

    def due(self) -> Self:
        """Pending messages to send now: their time has come, and they have not expired."""
        return self.unexpired().filter(status=Status.PENDING, due_at__lte=db_now())

    def due_later(self) -> Self:
        """Pending messages whose time has not come."""
        return self.filter(status=Status.PENDING, due_at__gt=db_now())

    def asked_for(self) -> Self:
        """Messages whose status is still queried."""
        return self.filter(in_asked_batch(), status__in=asked_statuses())

    def unexpired(self) -> Self:
        """Messages in any status that have not expired."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=db_now()))

    def past_expiry(self) -> Self:
        """Pending messages that have expired, on the primary database."""
        return self.for_write().filter(status=Status.PENDING, expires_at__lte=db_now())

    def left_behind(self) -> Self:
        """Messages being sent in a batch that is applied, on the primary database.

        Their own update was lost, as it is where a table has no transactions. In the order of the
        index by the status: with "=", PostgreSQL would find this order in the primary key too, and
        read the whole table.
        """
        sending = Q(status__gte=Status.SENDING, status__lte=Status.SENDING)
        applied = self.for_write().filter(sending, batch__applied_at__isnull=False)
        return applied.order_by("status", "pk")

    def undecided(self) -> Self:
        """Messages being sent, and unknown ones of a lost worker that nobody has decided about."""
        lost = Q(status=Status.UNKNOWN, error_code=ErrorCode.LOST, resolution="")
        return self.filter(Q(status=Status.SENDING) | lost)

    def resendable(self) -> Self:
        """Unknown messages that may be sent again, on the primary database.

        Nobody has decided about them, their request is over, their text is kept, and their number
        is not stopped.
        """
        under_way = SmsBatch.objects.under_way().filter(pk=OuterRef("batch_id"))
        unknown = self.for_write().filter(status=Status.UNKNOWN, resolution="")
        stopped = StoppedNumber.objects.filter(number=OuterRef("number"))
        return unknown.filter(~Exists(under_way), ~Exists(stopped), ~Q(text=""))

    def without_indexes(self) -> Self:
        """Add ``status_now``: the status without its indexes.

        For conditions beside keys. The statistics of a queue are always old, so a planner expects
        few waiting messages: by the index it would read all of them instead of the hundred that
        are named.
        """
        return self.alias(status_now=Coalesce("status", "status"))
