"""Which messages: the questions that the table of messages answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce

from ..choices import ErrorCode, Status
from .batches import SmsBatch
from .clock import db_now
from .primary_queryset import PrimaryQuerySet
from .stopped_numbers import StoppedNumber

if TYPE_CHECKING:
    from typing_extensions import Self


def has(field: str, value: str) -> Q:
    """With this tag or gateway id, found by the index that leaves the empty ones out.

    SQLite takes such an index only for a query that says so too.
    """
    return Q((field, value), (f"{field}__gt", ""))


#: Messages that nothing will happen to any more.
ENDED = (
    Q(status__in=[Status.CANCELLED, Status.EXPIRED, Status.FAILED, Status.DELIVERED])
    | (Q(status=Status.UNKNOWN) & ~Q(resolution=""))
    | Q(status__in=[Status.ACCEPTED, Status.SENT], next_check_at__isnull=True)
)


class MessageQueries(PrimaryQuerySet):
    """Questions about messages; each returns a queryset and changes nothing."""

    def ended(self) -> Self:
        """Messages that nothing will happen to any more."""
        return self.filter(ENDED)

    def due(self) -> Self:
        """Messages to send now."""
        return self.unexpired().filter(status=Status.PENDING, due_at__lte=db_now())

    def checkable(self) -> Self:
        """Messages to ask for now."""
        return self.filter(next_check_at__lte=db_now())

    def unexpired(self) -> Self:
        """Messages whose time has not passed."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=db_now()))

    def without_indexes(self) -> Self:
        """With ``status_now`` and ``check_now``, which no index has, for conditions beside keys.

        A planner whose figures are old, as those of a queue are, takes a few waiting messages for
        granted: it would read all that wait instead of the hundred that are named.
        """
        return self.alias(
            status_now=Coalesce("status", "status"),
            check_now=Coalesce("next_check_at", "next_check_at"),
        )

    def undecided(self) -> Self:
        """Messages under way, or lost with their worker and not decided about by a person."""
        lost = Q(status=Status.UNKNOWN, error_code=ErrorCode.LOST, resolution="")
        return self.filter(Q(status=Status.SENDING) | lost)

    def late(self) -> Self:
        """What is pending and whose time has passed."""
        return self.for_write().filter(status=Status.PENDING, expires_at__lte=db_now())

    def resendable(self) -> Self:
        """Unknown, without a decision, the POST over; with a text, and a number not stopped."""
        under_way = SmsBatch.objects.filter(
            pk=OuterRef("batch_id"), outcome="", lease_until__gt=db_now()
        )
        unknown = self.for_write().filter(status=Status.UNKNOWN, resolution="")
        stopped = StoppedNumber.objects.filter(number=OuterRef("number"))
        return unknown.filter(~Exists(under_way), ~Exists(stopped), ~Q(text=""))
