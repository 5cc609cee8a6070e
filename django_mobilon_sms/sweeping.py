"""The sweep: outcomes that did not reach their messages, lost batches, expired messages."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from django.db import DataError, IntegrityError, router, transaction

from . import proofs
from .choices import ErrorCode, Outcome, Status
from .models import SmsBatch, SmsMessage
from .patience import DATABASE_PATIENCE, persist
from .proofs import Proof
from .reports import RunReport

logger = logging.getLogger(__name__)


def sweep() -> RunReport:
    """Apply outcomes that did not reach their messages, end what is lost or expired."""
    report = RunReport()
    for batch in SmsBatch.objects.unapplied():
        _sweep(report, batch.pk, partial(_apply, batch))
    for batch in SmsBatch.objects.lost():
        logger.warning("batch.lost batch=%s", batch.pk)
        lost = Proof(Outcome.LOST, ErrorCode.LOST)
        _sweep(report, batch.pk, partial(proofs.record, batch, lost, []))
    _sweep(report, "expired", SmsMessage.objects.expire)
    return report


def _sweep(report: RunReport, what: object, step: Callable[[], Mapping[Status, int]]) -> None:
    """One step by itself: a batch that can not be swept must not stop all sending for good."""
    alias = router.db_for_write(SmsMessage)
    try:
        report.count(persist(step, using=alias, seconds=DATABASE_PATIENCE))
    except (IntegrityError, DataError) as error:
        # Its type only: a database's own words can hold a row's contents.
        logger.error("sweep.failed batch=%s error=%s", what, type(error).__name__)
        report.failed = True


def _apply(batch: SmsBatch) -> Counter[Status]:
    with transaction.atomic(using=router.db_for_write(SmsBatch)):
        return proofs.apply(batch)
