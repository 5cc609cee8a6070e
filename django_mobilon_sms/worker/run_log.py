"""What a run writes to the log: each batch, and each error with its reason.

An ERROR is for trouble that waiting does not end. All hosts together write it once an hour, so
that cron does not alert somebody each minute. A handler may take long, as one that sends mail: the
reasons are logged while no request is under way. No fault of a handler or of the database ends a
run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress

from django.core.exceptions import ImproperlyConfigured
from django.db import Error

from ..choices import Status
from ..models import ReportedError, SmsBatch
from .outcome_recording import Result
from .proofs import Proof
from .run_report import RunError, RunReport

logger = logging.getLogger(__name__)


def log_failed_post(batch: SmsBatch, error: BaseException, proof: Proof) -> None:
    """Log the class of the error that ended a request, and what it proves."""
    with suppress(Exception):  # of a handler: this outcome is not recorded yet
        logger.warning(
            "post.failed batch=%s error=%s error_code=%s http_code=%s",
            batch.pk,
            type(error).__name__,
            proof.error_code,
            proof.http_code or "",
        )


def log_batch(result: Result, counts: Mapping[Status, int]) -> None:
    """Log the outcome of a request, and how many of its messages reached which status."""
    if not logger.isEnabledFor(logging.INFO):
        return
    statuses = ",".join(f"{status}:{count}" for status, count in sorted(counts.items()) if count)
    proof = result.proof
    with suppress(Exception):
        logger.info(
            "batch.recorded batch=%s outcome=%s error_code=%s http_code=%s statuses=%s",
            result.batch.pk,
            proof.outcome,
            proof.error_code,
            proof.http_code or "",
            statuses,
        )


def log_errors(report: RunReport) -> None:
    """Log the errors of a run that are not logged yet."""
    for error in report.unlogged:
        error.is_logged = True
        is_error = error.needs_a_person and _is_first(error.error_code)
        with suppress(Exception):
            _log(error, logging.ERROR if is_error else logging.WARNING)


def log_failure(report: RunReport) -> None:
    """Log that the database did not store an outcome, whose own line says which."""
    if report.failed:
        level = logging.ERROR if _is_first("database") else logging.WARNING
        with suppress(Exception):
            logger.log(level, "run.failed exit_code=%d", report.exit_code)


def log_wrong_setting(error: ImproperlyConfigured) -> None:
    """Log that a setting, or the database, is not fit for sending; once an hour."""
    if _is_first("configuration"):
        with suppress(Exception):
            logger.error("run.configuration error=%s: %s", type(error).__name__, error)


def _log(error: RunError, level: int) -> None:
    logger.log(
        level,
        # The code is in the format, because Sentry groups lines of one format into one issue.
        "run.error error_code=" + error.error_code + " http_code=%s messages=%d: %s",  # noqa: G003
        error.http_code or "",
        error.messages,
        str(error),
    )


def _is_first(name: str) -> bool:
    """Return whether to report this error now; ``False`` if the database cannot record it."""
    try:
        return ReportedError.objects.report(name)
    except Error:
        return False
