"""The sweep: outcomes that did not reach their messages, lost batches, expired messages."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import Error, router, transaction
from django.db.models import Count, QuerySet

from ..choices import ErrorCode, Outcome, Status
from ..conf import conf
from ..models import (
    RETRY_SECONDS,
    GatewayState,
    SmsBatch,
    SmsMessage,
    db_now,
    kept_long_enough,
    retry_on_lock,
)
from . import outcome_recording
from .exit_codes import UNKNOWN
from .proofs import Proof
from .run_report import RunError, RunReport

logger = logging.getLogger(__name__)


#: How many texts one UPDATE forgets.
TEXTS_PER_UPDATE = 1000


#: A part of a sweep, with the name that a log line gives it.
Step = tuple[object, Callable[[], Mapping[Status, int]]]


def sweep_leftovers() -> RunReport:
    """Apply outcomes that did not reach their messages, and end what is lost or expired."""
    return _sweep(leftovers(), _steps())


def sweep_batches(*, own: Collection[UUID]) -> RunReport:
    """Sweep only batches, which takes a short time while requests are under way.

    The ``own`` ones are left out: their replies may be here and wait to be recorded.
    """
    return _sweep(_open_batches(own), _batch_steps(own))


def _sweep(found: Sequence[QuerySet[Any]], steps: Iterable[Step]) -> RunReport:
    """Do these steps if one of the querysets has a row.

    Each step is tried alone: a batch that cannot be swept must not stop all sending for good.
    """
    report = RunReport()
    if not GatewayState.objects.any_exist(found):  # one query, since most sweeps find nothing
        return report
    alias = router.db_for_write(SmsMessage)
    for name, step in steps:
        patience = 0.0 if report.failed else RETRY_SECONDS
        try:
            counts = retry_on_lock(step, using=alias, seconds=patience)
            report.count(counts)
            if counts.get(Status.UNKNOWN):
                _note_unknown(report, name, counts[Status.UNKNOWN])
        except Error as error:
            # Its type only: a database's own words can hold a row's contents.
            logger.warning("sweep.failed batch=%s error=%s", name, type(error).__name__)
            report.failed = True
    return report


def _note_unknown(report: RunReport, name: object, count: int) -> None:
    """Note why messages became unknown; ``name`` is that of the step, a batch or "expired"."""
    if name == "expired":
        report.note(RunError(ErrorCode.EXPIRED, None, UNKNOWN, count))
        return
    held = SmsMessage.objects.for_write().filter(batch=name, status=Status.UNKNOWN).order_by()
    for code, number in held.values_list("error_code").annotate(Count("pk")):
        report.note(RunError(code, None, UNKNOWN, number))


def leftovers() -> list[QuerySet[Any]]:
    """Return the batches and messages to sweep, each queryset in the order of its index."""
    rows = [*_open_batches(), SmsMessage.objects.past_expiry().order_by("expires_at")]
    if conf.FORGET_TEXT_AFTER is not None:
        rows.append(_forgettable())
    return rows


def _open_batches(own: Collection[UUID] = ()) -> list[QuerySet[Any]]:
    return [
        SmsBatch.objects.unapplied().order_by("lease_until"),
        SmsBatch.objects.lost().exclude(pk__in=own).order_by("lease_until"),
        SmsMessage.objects.left_behind(),
    ]


def _steps() -> Iterator[Step]:
    yield from _batch_steps()
    yield "expired", SmsMessage.objects.expire
    if conf.FORGET_TEXT_AFTER is not None:
        yield "texts", _forget_texts


def _batch_steps(own: Collection[UUID] = ()) -> Iterator[Step]:
    for batch in SmsBatch.objects.unapplied():
        yield batch.pk, partial(_apply, batch)
    for batch in SmsBatch.objects.lost().exclude(pk__in=own):
        logger.warning("batch.lost batch=%s", batch.pk)
        lost = Proof(Outcome.LOST, ErrorCode.LOST)
        yield batch.pk, partial(outcome_recording.record, batch, lost, {})
    left_behind = SmsMessage.objects.left_behind().order_by().values("batch")
    for batch in SmsBatch.objects.for_write().filter(pk__in=left_behind):
        logger.warning("batch.left batch=%s", batch.pk)
        yield batch.pk, partial(outcome_recording.settle_rest, batch)


def _forgettable() -> QuerySet[SmsMessage]:
    return SmsMessage.objects.for_write().filter(kept_long_enough()).order_by("forget_from")


def _forget_texts() -> Mapping[Status, int]:
    rows = _forgettable()
    while pks := list(rows.values_list("pk", flat=True)[:TEXTS_PER_UPDATE]):
        SmsMessage.objects.for_write().filter(pk__in=pks).forget()
    return {}


def _apply(batch: SmsBatch) -> Counter[Status]:
    """Apply the outcome of a batch, unless another worker did or the outcome was replaced."""
    unapplied = SmsBatch.objects.unapplied().filter(pk=batch.pk, outcome=batch.outcome)
    with transaction.atomic(using=router.db_for_write(SmsBatch)):
        if not unapplied.update(applied_at=db_now()):
            return Counter()
        return outcome_recording.apply(batch)
