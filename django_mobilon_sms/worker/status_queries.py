"""Query the status of accepted messages, and record the answers.

A status moves forward only (accepted, sent, delivered). A query is safe to repeat. Trouble here
ends the refresh and never stops sending.
"""

from __future__ import annotations

import dataclasses
import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Expression

from ..conf import conf, require_valid
from ..gateway import MAX_OBJECTS, Backend, Call, StatusReport, with_call
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
from .configured_backend import open_backend
from .exit_codes import TROUBLE, exit_code
from .proofs import of_error
from .request_threads import RequestThreads
from .run_report import Halt, RunReport
from .status_recording import StatusQuery, StatusReply, record

logger = logging.getLogger(__name__)


#: How long to wait until the next query, for messages up to this age.
WAITS_BY_AGE = (
    (timedelta(minutes=1), timedelta(seconds=10)),
    (timedelta(minutes=5), timedelta(seconds=30)),
    (timedelta(minutes=30), timedelta(minutes=1)),
    (timedelta(hours=2), timedelta(minutes=5)),
    (timedelta(hours=12), timedelta(minutes=30)),
)


LONGEST_WAIT = timedelta(hours=1)

#: How long a patient refresh waits after trouble, in seconds: twice as long each time in a row.
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 900.0
#: The longest wait that a gateway may ask for, in seconds.
LONGEST_RETRY_AFTER = 3600.0


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
) -> RunReport:
    """Query every status that is due and record the answers; adds to ``report``.

    ``patient``: query nothing for a while after trouble that this process had, because each failed
    query may cost it a connection for a time. Raises ``ImproperlyConfigured`` before anything is
    queried.
    """
    require_valid()
    report = report or RunReport()
    if not conf.ENABLED:
        report.halt(Halt("disabled"))
        return report
    if patient and time.monotonic() < trouble.until:
        if SmsMessage.objects.for_write().checkable().exists():
            report.exit_codes.append(TROUBLE)
        return report
    with open_backend() as gateway:
        _query_all(gateway, report, stopping)
    return report


def _query_all(gateway: Backend, report: RunReport, stopping: Callable[[], bool]) -> None:
    requests = 1  # more after the first good reply
    while not stopping() and (queries := take_due(requests * MAX_OBJECTS)):
        replies, errors = _send(gateway, queries)
        report.checked += sum(len(answered) for answered, _ in replies)
        report.reported += record(replies)
        for error in errors:
            logger.warning("status.failed error=%s", type(error).__name__)
            report.exit_codes.append(min(exit_code(of_error(error)), TROUBLE))
        if errors:
            trouble.note(errors)
            return
        trouble.forget()
        requests = conf.CONCURRENCY


def take_due(limit: int = MAX_OBJECTS) -> list[StatusQuery]:
    """Return at most ``limit`` messages to query now; no other worker gets the same.

    Their next time is moved first. Its microseconds are random, and so mark the rows that this
    worker moved.
    """
    rows = SmsMessage.objects.for_write()
    found = select(_due, SmsMessage, limit)
    if not found:
        return []
    mark = timedelta(microseconds=random.randrange(1_000_000))  # noqa: S311  no secret
    times = {pk: next_check(accepted, now, mark) for pk, _guid, _id, accepted, now in found}
    values = {"pks": PrimaryKeys(times), "times": CasePerPk(times, TIME)}
    move = partial(rows.change_prepared, _move, **values)
    moved = retry_on_lock(move, using=rows.db, seconds=RETRY_SECONDS)
    queries = [StatusQuery(pk, guid, id_) for pk, guid, id_, *_ in found if times[pk] is not None]
    if moved < len(found):
        marks = {time for time in times.values() if time is not None}
        own = rows.filter(pk__in=list(times), next_check_at__in=marks)
        own_pks = set(own.values_list("pk", flat=True))
        queries = [query for query in queries if query.pk in own_pks]
    return queries or take_due(limit)


def next_check(accepted_at: datetime, now: datetime, mark: timedelta) -> datetime | None:
    """Return when to query a message again; ``None`` if it is too old."""
    age = now - accepted_at
    if age >= timedelta(seconds=conf.STATUS_MAX_AGE):
        return None
    wait = next((wait for limit, wait in WAITS_BY_AGE if age < limit), LONGEST_WAIT)
    return now + wait + mark


def _send(
    gateway: Backend, queries: Sequence[StatusQuery]
) -> tuple[list[StatusReply], list[BaseException]]:
    """Send as many requests at once as these queries take; return the replies and the errors."""
    requests: RequestThreads[int, list[StatusReport]] = RequestThreads()
    chunks = {
        start: queries[start : start + MAX_OBJECTS] for start in range(0, len(queries), MAX_OBJECTS)
    }
    for start, chunk in chunks.items():
        ids = list(dict.fromkeys(query.gateway_id for query in chunk))
        call = Call(conf.TIMEOUT)
        requests.start(start, call, partial(with_call(gateway.status, call), ids))
    replies: list[StatusReply] = []
    errors: list[BaseException] = []
    while requests:
        for start, answer in requests.wait():
            if isinstance(answer, BaseException):
                errors.append(answer)
            else:
                replies.append((chunks[start], answer))
    return replies, errors


def _due(messages: MessageQuerySet, limit: int) -> Any:
    # In the order of the index alone: with the primary key behind it, the rows would be sorted.
    due = messages.checkable().order_by("next_check_at")
    columns = ("pk", "guid", "gateway_id", "accepted_at", "now")
    return due.annotate(now=db_now()).values_list(*columns)[:limit]


def _move(messages: MessageQuerySet, *, pks: Expression, times: Expression) -> Change:
    due = messages.without_indexes().filter(PkIn(pks), check_now__lte=db_now())
    return due, {"next_check_at": times}
