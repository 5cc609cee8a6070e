"""The operator's pause and the breaker: the one row of ``GatewayState``, and its updates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, models
from django.db.models import Exists, Expression, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Now
from django.db.models.lookups import IsNull
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..choices import ErrorCode
from ..conf import conf
from ..database import (
    TEXT,
    PrimaryQuerySet,
    ShortLockWaits,
    batch_key,
    db_now,
    insert_where,
    is_over,
    select,
    short_lock_waits,
    user_field,
)
from .batches import SmsBatch

if TYPE_CHECKING:
    from typing_extensions import Self

#: The longest wait after trouble. Only a clock that was ahead writes an end beyond it.
LONGEST_WAIT = timedelta(hours=1)


class StateQuerySet(PrimaryQuerySet):
    """The one row, and its conditional updates.

    A failure of many concurrent requests trips the breaker once, and one process wins the probe.
    """

    def peek(self) -> GatewayState:
        """Return the state and write nothing; before the first run it is an unsaved one."""
        if (state := self._read()) is None:
            state = GatewayState()
            state.now = timezone.now()
        return state

    def current(self) -> GatewayState:
        """Return the state; insert its row if there is none."""
        while (state := self._read()) is None:
            self.for_write().get_or_create(pk=1)
        return state

    def _read(self) -> GatewayState | None:
        for *values, now in select(_state, self.model):
            names = [field.attname for field in self.model._meta.concrete_fields]
            state: GatewayState = self.model.from_db(self.for_write().db, names, values)
            state.now = now
            state.end_impossible_waits()
            return state
        return None

    def any_exist(self, querysets: Iterable[QuerySet[Any]]) -> bool:
        """Return whether any of these has a row, by one query; true before the first run.

        Each queryset must have an order, so that it is searched by the index with this order.
        Otherwise a planner that expects many rows would read the whole table to find none.
        """
        found = self.for_write().filter(pk=1).annotate(any_row=_any_row(querysets))
        return found.values_list("any_row", flat=True).first() is not False

    def seconds_until(
        self, querysets: Iterable[QuerySet[Any]], times: Iterable[QuerySet[Any]]
    ) -> float:
        """Return 0 if ``any_exist()``, otherwise the seconds to the first of these times.

        ``times`` are querysets of one time in the future, in the order of an index. Infinity if
        there is none. One query.
        """
        firsts = [Subquery(rows[:1]) for rows in times]
        found = self.for_write().filter(pk=1).annotate(any_row=_any_row(querysets), now=db_now())
        row = found.values_list("any_row", "now", *firsts).first()
        if row is None or row[0]:
            return 0.0
        _, now, *found_times = row
        return min(((at - now).total_seconds() for at in found_times if at), default=inf)

    def update(self, **values: Any) -> int:
        """Update the row, and wait for its lock only shortly.

        A transaction of the caller's waits as its connection is set, since it goes on afterwards.
        """
        is_ours = not connections[self.db].in_atomic_block
        rows = self.filter(ShortLockWaits()) if is_ours else self
        with short_lock_waits(self.db):
            return super(StateQuerySet, rows).update(**values)

    def admit(self, batch: SmsBatch, lease: timedelta) -> int:
        """Insert the batch, with a lease from now; return 0 if sending is paused or blocked.

        While the breaker blocks, only its probe is admitted. The row stays locked until the
        transaction ends, so that a pause waits for the claim, and this claim for a pause.
        """
        keys = {"batch": batch_key(batch), "worker": Value(batch.worker, TEXT)}
        admitted = insert_where(_admitted, self.model, lease, **keys)
        batch._state.adding = not admitted
        return admitted

    def pause(self, *, by: AbstractBaseUser | None) -> int:
        """Stop claims until ``resume()``; return 1, or 0 if sending is paused already.

        Waits for the claims under way, so that none commits once this has returned; what they took
        still goes out. Raises ``OperationalError`` if one takes longer than a few seconds.
        """
        self.current()
        running = self.for_write().filter(paused_at__isnull=True)
        return running.update(paused_by=by, paused_at=db_now())

    def resume(self) -> int:
        """End the pause; return 1, or 0 if there is none."""
        paused = self.for_write().filter(paused_at__isnull=False)
        return paused.update(paused_by=None, paused_at=None)

    def try_now(self) -> int:
        """Let one message probe the gateway now; return 1, or 0 if the breaker has not tripped."""
        return (
            self.for_write()
            .filter(blocked_until__isnull=False)
            .update(blocked_until=db_now(), probe=None, probe_until=None, **_changed())
        )

    def win_probe(self, batch: SmsBatch, lease: timedelta) -> bool:
        """Make the batch the probe if it is time for one; return whether this process won it."""
        # Twice, because the statement of a process that waits has the time when it began.
        free = Q(probe__isnull=True) | is_over("probe_until", 2 * lease)
        is_time = is_over("blocked_until", LONGEST_WAIT)
        waited = self.for_write().filter(ShortLockWaits(), free, is_time)
        return waited.update(probe=batch.pk, probe_until=db_now() + lease) == 1

    def release_probe(self, batch: SmsBatch) -> int:
        """Let another batch probe the gateway, because this one did not ask it."""
        return self.for_write().filter(probe=batch.pk).update(probe=None, probe_until=None)

    def trip(
        self, batch: SmsBatch, *, wait: timedelta, error_code: str, http_code: int | None = None
    ) -> int:
        """Block sending for ``wait``; return 0 if the breaker has changed since the claim."""
        return self._unchanged_since(batch).update(
            blocked_until=db_now() + wait,
            failures=F("failures") + 1,
            error_code=error_code,
            http_code=http_code,
            probe=None,
            probe_until=None,
            **_changed(),
        )

    def clear(self, batch: SmsBatch) -> int:
        """Clear the breaker; return 0 if it has changed since the claim of the batch."""
        return self._unchanged_since(batch).update(
            blocked_until=None,
            failures=0,
            error_code="",
            http_code=None,
            probe=None,
            probe_until=None,
            **_changed(),
        )

    def _unchanged_since(self, batch: SmsBatch) -> Self:
        # By a counter, because a clock that was set back makes every batch older than the change.
        same = type(batch)._default_manager.filter(
            pk=batch.pk, breaker_changes=OuterRef("breaker_changes")
        )
        return self.for_write().filter(Exists(same))


class GatewayState(models.Model):
    """One row: the operator's pause, and the breaker that trips after trouble."""

    paused_by = user_field(_("paused by"), blank=True)
    paused_at = models.DateTimeField(_("paused at"), null=True, blank=True)
    #: Empty while the gateway works. If it is past, one message may probe the gateway.
    blocked_until = models.DateTimeField(_("blocked until"), null=True, blank=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    #: Why the breaker tripped last; empty while the gateway works.
    error_code = models.CharField(
        _("error"), max_length=20, choices=ErrorCode.choices, blank=True, default=""
    )
    http_code = models.PositiveSmallIntegerField(_("HTTP code"), null=True, blank=True)
    #: The batch that probes the gateway, and until when no other may.
    probe = models.UUIDField(_("probe"), null=True, blank=True)
    probe_until = models.DateTimeField(_("probe until"), null=True, blank=True)
    #: When the breaker was last tripped, cleared or tried, for people to read.
    changed_at = models.DateTimeField(_("changed at"), db_default=Now())
    #: How often that happened. A batch that was claimed before the last change changes nothing.
    breaker_changes = models.PositiveBigIntegerField(_("changes of the breaker"), default=0)

    objects = StateQuerySet.as_manager()

    #: The database's time when the row was read; set by ``peek()`` and ``current()``.
    now: datetime

    class Meta:
        verbose_name = _("gateway state")
        verbose_name_plural = _("gateway state")
        default_permissions = ("view",)

    def __str__(self) -> str:
        if self.paused_at:
            return gettext("Sending is paused")
        if self.blocked_until:
            return gettext("Sending waits after trouble with the gateway")
        return gettext("Sending is on")

    def end_impossible_waits(self) -> None:
        """Treat waits that end later than any can as over, because a wrong clock wrote them."""
        if self.blocked_until and self.blocked_until > self.now + LONGEST_WAIT:
            self.blocked_until = self.now
        longest_probe = 2 * timedelta(seconds=conf.LEASE)  # as in ``win_probe()``
        if self.probe_until and self.probe_until > self.now + longest_probe:
            self.probe_until = self.now


def _changed() -> dict[str, Any]:
    return {"changed_at": db_now(), "breaker_changes": F("breaker_changes") + 1}


def _state(states: Any) -> Any:
    return states.filter(pk=1).annotate(now=db_now())


def _admitted(
    states: StateQuerySet, lease: timedelta, *, batch: Expression, worker: Expression
) -> tuple[SmsBatch, StateQuerySet]:
    values: dict[str, Any] = {"id": batch, "worker": worker, "created_at": db_now()}
    values["breaker_changes"] = F("breaker_changes")  # of the locked row
    begun = SmsBatch(**values, lease_until=db_now() + lease)
    may_send = Q(blocked_until__isnull=True) | Q(probe=batch)
    return begun, states.filter(ShortLockWaits(), may_send, paused_at__isnull=True)


def _any_row(querysets: Iterable[QuerySet[Any]]) -> Q:
    first = [Subquery(rows.values("pk")[:1]) for rows in querysets]
    return Q(*(IsNull(pk, False) for pk in first), _connector=Q.OR)
