"""Query the status of accepted messages, and record the answers.

A status moves forward only (accepted, sent, delivered). A query is safe to repeat. Trouble here
ends the refresh and never stops sending.
"""

from __future__ import annotations

import dataclasses
import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import router
from django.db.models import Expression, Value

from ...choices import ErrorCode, Status
from ...conf import conf, require_valid
from ...gateway import MAX_OBJECTS, Backend, Call, StatusReport, uptime, with_call
from ...models import (
    RETRY_SECONDS,
    TIME,
    BatchKeys,
    BatchQuerySet,
    Change,
    MessageQuerySet,
    PkIn,
    SmsBatch,
    SmsMessage,
    asked_statuses,
    chunked,
    db_now,
    retry_on_lock,
    select,
    update,
)
from ...signals import Calls, receivers_held
from ..configured_backend import open_backend
from ..exit_codes import TROUBLE, UNKNOWN, exit_code
from ..heartbeats import BEAT_SECONDS
from ..proofs import of_error
from ..request_threads import RequestThreads
from ..run_log import log_errors
from ..run_report import Halt, RunError, RunReport
from .recording import StatusQuery, StatusReply, record
from .schedule import next_check

logger = logging.getLogger(__name__)

#: How long a patient refresh waits after trouble, in seconds: twice as long each time in a row.
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 900.0
#: The longest wait that a gateway may ask for, in seconds.
LONGEST_RETRY_AFTER = 3600.0

#: A round that took so many seconds is recorded before the next batches are taken, because its own
#: may be due again by then.
LONG_ROUND = 5.0

#: Requests under way, by their position in the round.
Requests = RequestThreads[int, StatusReply]


class Round(NamedTuple):
    """The queries of one round of requests, with their replies and errors."""

    queries: Sequence[StatusQuery]
    replies: list[StatusReply]
    errors: list[BaseException]


@dataclasses.dataclass
class Trouble:
    """Failed refreshes of this process in a row, and until when (monotonic) to wait."""

    failures: int = 0
    until: float = 0.0

    def note(self, errors: Iterable[BaseException]) -> None:
        """Wait longer than the last time, or as long as the gateway asks for."""
        asked = max(of_error(error).retry_after or 0.0 for error in errors)
        pause = min(FIRST_PAUSE * 2 ** min(self.failures, 10), LONGEST_PAUSE)
        self.failures += 1
        self.until = time.monotonic() + max(pause, min(asked, LONGEST_RETRY_AFTER))

    def forget(self) -> None:
        """Let the next refresh query at once."""
        self.failures, self.until = 0, 0.0


trouble = Trouble()


def refresh(
    report: RunReport | None = None,
    *,
    stopping: Callable[[], bool] = lambda: False,
    patient: bool = False,
    alive: Callable[[], object] = lambda: None,
) -> RunReport:
    """Query every status that is due and record the answers; adds to ``report``.

    ``patient``: query nothing for a while after trouble that this process had, because each failed
    query may cost it a connection for a time. ``alive`` is called at least every ``BEAT_SECONDS``.
    Raises ``ImproperlyConfigured`` before anything is queried.
    """
    report = report or RunReport()
    try:
        require_valid()
        if not conf.ENABLED:
            report.halt(Halt("disabled"))
        elif patient and time.monotonic() < trouble.until:
            if SmsBatch.objects.checkable().exists():
                report.exit_codes.append(TROUBLE)
        else:
            with open_backend() as gateway:
                _query_all(gateway, report, stopping, alive)
    finally:
        log_errors(report)  # those of a sweep before it, too
    return report


def _query_all(
    gateway: Backend,
    report: RunReport,
    stopping: Callable[[], bool],
    alive: Callable[[], object],
) -> None:
    """Query all that is due, and record each round while the next one waits for the gateway."""
    size = MAX_OBJECTS  # more after the first good reply
    answered: list[Round] = []  # not recorded yet: one round at most
    try:
        while not stopping() and (queries := take_due(size)):
            began, requests = uptime(), _start(gateway, queries)
            try:
                _record_all(report, answered, alive)
            finally:
                answered.append(_wait(requests, queries, alive))
            if errors := answered[-1].errors:
                trouble.note(errors)
                break
            trouble.forget()
            size = conf.CONCURRENCY * MAX_OBJECTS
            if uptime() > began + LONG_ROUND:
                _record_all(report, answered, alive)
    finally:  # whatever ended the queries
        _record_all(report, answered, alive)


def _record_all(report: RunReport, answered: list[Round], alive: Callable[[], object]) -> None:
    while answered:
        with receivers_held(Calls(), between=alive):
            _record(report, answered.pop())


def _record(report: RunReport, answered: Round) -> None:
    """Record the replies, and note the errors of the requests that got none."""
    report.checked += sum(len(queries) for queries, _ in answered.replies)
    unknown = report.reported[Status.UNKNOWN]
    report.reported += record(answered.replies, {query.batch for query in answered.queries})
    if ended := report.reported[Status.UNKNOWN] - unknown:
        report.note(RunError(ErrorCode.REPORTED_FAILED, None, UNKNOWN, ended))
    for error in answered.errors:
        _note(report, error)


def _note(report: RunReport, error: BaseException) -> None:
    """Log and note a failed query, which made no message unknown."""
    proof = of_error(error)
    logger.warning(
        "status.failed error=%s error_code=%s http_code=%s",
        type(error).__name__,
        proof.error_code,
        proof.http_code or "",
    )
    code = min(exit_code(proof), TROUBLE)
    report.exit_codes.append(code)
    report.note(RunError(proof.error_code, proof.http_code, code, is_query=True))


def take_due(limit: int = MAX_OBJECTS) -> list[StatusQuery]:
    """Return the messages to query now, of whole batches; no other worker gets the same.

    They are at most ``limit``, so that batches with few messages left share a request. The next
    time of a batch is moved first. Its microseconds are random, and so mark the batches that this
    worker moved.
    """
    alias = router.db_for_write(SmsBatch)
    most = 2 * limit // MAX_OBJECTS  # batches: twice as many as needed where all are full
    while rows := select(_due, SmsBatch, most):
        due, now = {batch: closed_at for batch, closed_at, _now in rows}, rows[0][2]
        batches, is_all = _whole_batches(due, limit)
        if is_all and len(rows) == most < limit:  # they have few messages left
            most = min(4 * most, limit)
            continue
        mark = timedelta(microseconds=random.randrange(1_000_000))  # noqa: S311  no secret
        times = {batch: next_check(due[batch], now, mark) for batch in batches}
        if is_all:  # the others have no message left to query
            times = dict.fromkeys(due) | times
        ours = retry_on_lock(partial(_take, times), using=alias, seconds=RETRY_SECONDS)
        if queries := [query for batch in ours for query in batches[batch]]:
            return queries
    return []


def _whole_batches(due: Iterable[UUID], limit: int) -> tuple[dict[UUID, list[StatusQuery]], bool]:
    """Return the messages to query by batch, and whether all of these batches were looked at."""
    keys, statuses = BatchKeys(due), asked_statuses()
    rows = select(_asked, SmsMessage, limit + 1, statuses, batches=keys)
    found = [StatusQuery(*row) for row in rows]
    batches = {batch: list(own) for batch, own in groupby(found, attrgetter("batch"))}
    is_all = len(found) <= limit
    if not is_all and len(batches) > 1:
        batches.popitem()  # the last one was cut by the limit
    return batches, is_all


def _take(times: Mapping[UUID, datetime | None]) -> list[UUID]:
    """Move the batches that are still due to these times; return ours of those to query."""
    by_time: dict[datetime | None, list[UUID]] = defaultdict(list)
    for batch, at in times.items():
        by_time[at].append(batch)
    moved = sum(
        update(_move, SmsBatch, batches=BatchKeys(own), time=Value(at, TIME))
        for at, own in by_time.items()
    )
    queried = [batch for batch, at in times.items() if at is not None]
    if moved == len(times):
        return queried
    marks = [at for at in by_time if at is not None]
    marked = SmsBatch.objects.for_write().filter(pk__in=queried, next_check_at__in=marks)
    return list(marked.values_list("pk", flat=True))


def _start(gateway: Backend, queries: Sequence[StatusQuery]) -> Requests:
    """Start one request for each ``MAX_OBJECTS`` queries."""
    requests: Requests = RequestThreads()
    for position, chunk in enumerate(chunked(queries, MAX_OBJECTS)):
        call = Call(conf.TIMEOUT)
        requests.start(position, call, partial(_ask, with_call(gateway.status, call), chunk))
    return requests


def _ask(
    status: Callable[[list[str]], list[StatusReport]], queries: Sequence[StatusQuery]
) -> StatusReply:
    return queries, status(list(dict.fromkeys(query.gateway_id for query in queries)))


def _wait(requests: Requests, queries: Sequence[StatusQuery], alive: Callable[[], object]) -> Round:
    """Wait for all requests, and return their replies and errors."""
    replies: list[StatusReply] = []
    errors: list[BaseException] = []
    while requests:
        alive()
        for _position, answer in requests.wait(BEAT_SECONDS):
            if isinstance(answer, BaseException):
                errors.append(answer)
            else:
                replies.append(answer)
    return Round(queries, replies, errors)


def _due(batches: BatchQuerySet, limit: int) -> Any:
    # In the order of the index alone: with the primary key behind it, the rows would be sorted.
    due = batches.checkable().order_by("next_check_at")
    return due.annotate(now=db_now()).values_list("pk", "closed_at", "now")[:limit]


def _asked(
    messages: MessageQuerySet, limit: int, statuses: Sequence[Status], *, batches: Expression
) -> Any:
    asked = messages.without_indexes().filter(PkIn(batches, field="batch"), status_now__in=statuses)
    return asked.order_by("batch").values_list(*StatusQuery._fields)[:limit]


def _move(rows: BatchQuerySet, *, batches: Expression, time: Expression) -> Change:
    return rows.checkable().filter(PkIn(batches)), {"next_check_at": time}
