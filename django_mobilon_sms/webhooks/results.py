"""The changes that answers make to a consumer, and to the events that it did not accept."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from ..choices import WebhookError
from ..models import FAILING_AFTER, WebhookConsumer, WebhookDelivery, db_now
from .answers import Answer
from .retry_schedule import next_delay, pause_after

logger = logging.getLogger(__name__)


def still_to_deliver(
    consumer: WebhookConsumer,
    deliveries: Sequence[WebhookDelivery],
    answers: Mapping[int, Answer],
    now: datetime,
) -> list[WebhookDelivery]:
    """Return the events that the consumer has not accepted, with their next attempt.

    ``now`` is the time of the database.
    """
    kept = []
    for row in deliveries:
        answer = answers.get(row.event)
        if answer and answer.error:
            _plan_next_attempt(row, now)
            logger.warning(
                "webhook.failed consumer=%s event=%s attempts=%d reason=%s http_code=%s",
                consumer.name, row.webhook_id, row.attempts, answer.error, answer.http_code,
            )  # fmt: skip
        if not answer or answer.error:
            kept.append(row)
    log_given_up(consumer, sum(row.given_up_at is not None for row in kept))
    return kept


def failures_after(consumer: WebhookConsumer, answers: Sequence[Answer], *, are_new: bool) -> int:
    """Return the number of failures in a row, after these answers in their order.

    Failures of events that are not ``are_new`` count only while the consumer fails, so that one
    event that is tried again and again does not hold back the others.
    """
    failures, counted = consumer.failures, are_new or consumer.is_failing
    for answer in answers:
        failures = failures + counted if answer.error else 0
    # Of a failing consumer, requests that were under way together count as one failure.
    return min(failures, max(FAILING_AFTER, consumer.failures + 1))


def changes(
    consumer: WebhookConsumer, answers: Sequence[Answer], *, are_new: bool
) -> dict[str, Any]:
    """Return the new values of the consumer's row, and count its failures."""
    if not answers:
        return {}
    failed = [answer for answer in answers if answer.error]
    consumer.failures = failures_after(consumer, answers, are_new=are_new)
    pause = pause_after(consumer.failures)
    values: dict[str, Any] = {"failures": consumer.failures}
    values["next_try_at"] = pause and db_now() + pause
    if taken := len(answers) - len(failed):
        values |= {"delivered": F("delivered") + taken, "last_success_at": db_now()}
    if failed:
        error, http_code = failed[-1]
        values |= {"last_error": error, "last_http_code": http_code, "last_error_at": db_now()}
    if any(answer.error == WebhookError.GONE for answer in failed):
        values["stopped_at"] = db_now()
        logger.error("webhook.stopped consumer=%s", consumer.name)
    return values


def log_given_up(consumer: WebhookConsumer, count: int) -> None:
    """Log that events were given up after three days."""
    if count:
        logger.error("webhook.undelivered consumer=%s events=%d", consumer.name, count)


def _plan_next_attempt(row: WebhookDelivery, now: datetime) -> None:
    row.attempts += 1
    delay = next_delay(row.attempts, now - row.failed_at if row.failed_at else timedelta())
    row.failed_at = row.failed_at or db_now()
    if delay is None:
        row.given_up_at = db_now()
    else:
        row.next_attempt_at = db_now() + delay
