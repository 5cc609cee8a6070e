"""The conditional updates of the journal: one batch for each POST to the gateway."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Expression, Q, Value

from .choices import Outcome
from .clock import db_now
from .prepared import INTEGER, JSON, TIME, Change, insert, key, update
from .querysets import PrimaryQuerySet

if TYPE_CHECKING:
    from typing_extensions import Self

    from .models import SmsBatch


class BatchQuerySet(PrimaryQuerySet):
    """Batches: the journal."""

    def lost(self) -> Self:
        """Batches whose worker vanished."""
        opened = self.on_primary().filter(outcome="", applied_at__isnull=True)
        return opened.filter(lease_until__lte=db_now())

    def unapplied(self) -> Self:
        """Batches with an outcome that has not reached its messages."""
        return self.on_primary().filter(applied_at__isnull=True).exclude(outcome="")

    def begin(self, worker: str, lease: timedelta) -> SmsBatch:
        """Write a new batch, whose lease runs from now."""
        batch: SmsBatch = self.model(worker=worker)
        insert(_begun, self.model, lease, id=key(batch), worker=Value(worker))
        batch._state.adding = False
        return batch

    def close(
        self,
        batch: SmsBatch,
        outcome: Outcome,
        *,
        error_code: str = "",
        http_code: int | None = None,
        guids: Sequence[str] = (),
        reply: Sequence[Any] = (),
        applied: bool = False,
    ) -> int:
        """Record its outcome, unless it has one; the worker's own word also replaces ``lost``.

        ``applied``: the caller takes it to the messages, in the same transaction.
        """
        return update(
            _close,
            self.model,
            batch=key(batch),
            outcome=Value(outcome),
            replaced=Value("" if outcome == Outcome.LOST else Outcome.LOST),
            error_code=Value(error_code),
            http_code=Value(http_code, INTEGER),
            guids=Value(list(guids), JSON),
            reply=Value(list(reply), JSON),
            applied_at=db_now() if applied else Value(None, TIME),
        )


def _begun(
    model: type[SmsBatch], lease: timedelta, *, id: Expression, worker: Expression
) -> SmsBatch:
    values = {"id": id, "worker": worker, "created_at": db_now()}
    return model(**values, lease_until=db_now() + lease)


def _close(
    batches: BatchQuerySet, *, batch: Expression, replaced: Expression, **values: Expression
) -> Change:
    without = batches.filter(Q(outcome="") | Q(outcome=replaced), pk=batch)
    return without, values | {"closed_at": db_now()}
