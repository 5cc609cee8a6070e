"""Tracking: ask the gateway what became of accepted messages, and record it.

A status moves forward only (accepted, sent, delivered); asking is safe to repeat, and trouble
here ends the refresh, it never stops sending.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Expression

from ..conf import conf, require_valid
from ..gateway import MAX_OBJECTS, Backend, StatusReport
from ..models import (
    RETRY_SECONDS,
    TIME,
    CasePerPk,
    Change,
    MessageQuerySet,
    PkIn,
    PrimaryKeys,
    SmsMessage,
    db_now,
    retry_on_lock,
    select,
)
from .configured_backend import get_backend
from .exit_codes import TROUBLE, exit_code
from .proofs import of_error
from .request_threads import GRACE, RequestThreads
from .run_report import RunReport
from .status_recording import Answered, Asked, record

logger = logging.getLogger(__name__)


#: How long to wait until the next question, by the age of the message.
WAITS = (
    (timedelta(minutes=1), timedelta(seconds=10)),
    (timedelta(minutes=5), timedelta(seconds=30)),
    (timedelta(minutes=30), timedelta(minutes=1)),
    (timedelta(hours=2), timedelta(minutes=5)),
    (timedelta(hours=12), timedelta(minutes=30)),
)


LAST_WAIT = timedelta(hours=1)


def refresh(
    report: RunReport | None = None, *, stopping: Callable[[], bool] = lambda: False
) -> RunReport:
    """Ask for every status that is due and record the answers; adds to ``report``.

    Raises ``ImproperlyConfigured`` before anything is asked.
    """
    require_valid()
    report = report or RunReport()
    if not conf.ENABLED:
        report.halted = "disabled"
        return report
    gateway, at_once = get_backend(), 1  # more after the first good reply
    while not stopping() and (asked := take_due(at_once * MAX_OBJECTS)):
        answered, errors = _ask(gateway, asked)
        report.checked += sum(len(some) for some, _ in answered)
        report.reported += record(answered)
        for error in errors:
            logger.warning("status.failed error=%s", type(error).__name__)
            report.exit_codes.append(min(exit_code(of_error(error)), TROUBLE))
        if errors:
            break
        at_once = conf.CONCURRENCY
    return report


def take_due(most: int = MAX_OBJECTS) -> list[Asked]:
    """At most so many messages to ask for now; no other worker gets the same.

    Their next time is moved first. Its microseconds are drawn by chance, and tell which of the
    rows were moved by this worker.
    """
    rows = SmsMessage.objects.for_write()
    found = select(_due, SmsMessage, most)
    if not found:
        return []
    mark = timedelta(microseconds=random.randrange(1_000_000))  # noqa: S311  no secret
    times = {pk: next_check(accepted, now, mark) for pk, _guid, _id, accepted, now in found}
    move = partial(
        rows.change_prepared, _move, pks=PrimaryKeys(times), times=CasePerPk(times, TIME)
    )
    moved = retry_on_lock(move, using=rows.db, seconds=RETRY_SECONDS)
    asked = [Asked(pk, guid, id_) for pk, guid, id_, *_ in found if times[pk] is not None]
    if moved < len(found):
        marks = {time for time in times.values() if time is not None}
        mine = set(rows.filter(pk__in=list(times), next_check_at__in=marks).values_list("pk"))
        asked = [one for one in asked if (one.pk,) in mine]
    return asked or take_due(most)


def next_check(accepted_at: datetime, now: datetime, mark: timedelta) -> datetime | None:
    """When to ask again for a message; ``None``: not any more."""
    age = now - accepted_at
    if age >= timedelta(seconds=conf.STATUS_MAX_AGE):
        return None
    wait = next((wait for until, wait in WAITS if age < until), LAST_WAIT)
    return now + wait + mark


def _ask(gateway: Backend, asked: Sequence[Asked]) -> tuple[list[Answered], list[BaseException]]:
    """The answers to as many requests at once as these messages take, and the errors of others."""
    calls: RequestThreads[int, list[StatusReport]] = RequestThreads(conf.TIMEOUT + GRACE)
    requests = {
        start: asked[start : start + MAX_OBJECTS] for start in range(0, len(asked), MAX_OBJECTS)
    }
    for start, some in requests.items():
        ids = list(dict.fromkeys(one.gateway_id for one in some))
        calls.start(start, partial(gateway.status, ids))
    answered: list[Answered] = []
    errors: list[BaseException] = []
    while calls:
        for start, told in calls.wait():
            if isinstance(told, BaseException):
                errors.append(told)
            else:
                answered.append((requests[start], told))
    return answered, errors


def _due(messages: MessageQuerySet, most: int) -> Any:
    # In the order of the index: with the key behind it, they were sorted.
    due = messages.checkable().order_by("next_check_at")
    columns = ("pk", "guid", "gateway_id", "accepted_at", "now")
    return due.annotate(now=db_now()).values_list(*columns)[:most]


def _move(messages: MessageQuerySet, *, pks: Expression, times: Expression) -> Change:
    due = messages.without_indexes().filter(PkIn(pks), check_now__lte=db_now())
    return due, {"next_check_at": times}
