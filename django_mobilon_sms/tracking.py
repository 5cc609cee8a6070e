"""Tracking: ask the gateway what became of accepted messages, and record it.

A status moves forward only (accepted, sent, delivered); asking is safe to repeat, and trouble
here ends the refresh, it never stops sending.
"""

from __future__ import annotations

import logging
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db import router, transaction
from django.db.models import Expression, F
from django.db.models.functions import Coalesce

from .backends import get_backend
from .choices import ErrorCode, Status
from .conf import conf, require_valid
from .gateway import MAX_OBJECTS, Backend, StatusReport
from .models import (
    DATABASE_PATIENCE,
    INTEGER,
    TEXT,
    TIME,
    ByPk,
    Change,
    Keys,
    MessageQuerySet,
    Named,
    SmsMessage,
    db_now,
    persist,
    select,
)
from .proofs import of_error
from .reports import TROUBLE, RunReport, exit_code
from .threads import GRACE, Calls

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

#: What was asked for in one request, and what the gateway told.
Answered = tuple[Sequence["Asked"], Sequence[StatusReport]]
#: How many messages came to which status.
Counts = Mapping[str, int] | Mapping[Status, int]


class Asked(NamedTuple):
    """A message that is asked for."""

    pk: int
    guid: UUID
    gateway_id: str


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
    rows = SmsMessage.objects.on_primary()
    found = select(_due, SmsMessage, most)
    if not found:
        return []
    mark = timedelta(microseconds=random.randrange(1_000_000))  # noqa: S311  no secret
    times = {pk: next_check(accepted, now, mark) for pk, _guid, _id, accepted, now in found}
    move = partial(rows.change_prepared, _move, pks=Keys(times), times=ByPk(times, TIME))
    moved = persist(move, using=rows.db, seconds=DATABASE_PATIENCE)
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


def record(answered: Iterable[Answered]) -> Counter[str]:
    """Move the messages to what was reported; returns how many came to which status.

    Those whose report changed nothing are counted under an empty one.
    """
    counts: Counter[str] = Counter()
    writes: list[Callable[[], Counts]] = []
    for asked, reports in answered:
        groups: dict[str, dict[int, StatusReport]] = defaultdict(dict)
        for pk, report in _matches(asked, reports):
            groups[conf.STATUS_REPLIES.get(report.status, "")][pk] = report
        counts[""] += len(asked) - sum(len(found) for found in groups.values())
        writes += [partial(RECORDERS[meaning], found) for meaning, found in groups.items()]
    alias = router.db_for_write(SmsMessage)
    for written in persist(partial(_write, writes, alias), using=alias, seconds=DATABASE_PATIENCE):
        counts.update(written)
    return counts


def _write(writes: Iterable[Callable[[], Counts]], alias: str) -> list[Counts]:
    with transaction.atomic(using=alias):
        return [write() for write in writes]


def _ask(gateway: Backend, asked: Sequence[Asked]) -> tuple[list[Answered], list[BaseException]]:
    """The answers to as many requests at once as these messages take, and the errors of others."""
    calls: Calls[int, list[StatusReport]] = Calls(conf.TIMEOUT + GRACE)
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


def _matches(
    asked: Sequence[Asked], reports: Iterable[StatusReport]
) -> Iterable[tuple[int, StatusReport]]:
    """Each message with its report: by id, and by guid where the report has one."""
    by_id: dict[str, set[StatusReport]] = defaultdict(set)
    for report in reports:
        by_id[report.id].add(report)
    for one in asked:
        mine = [r for r in by_id[one.gateway_id] if r.guid is None or r.guid == one.guid]
        if len(mine) == 1:  # two different reports for one id prove nothing
            yield one.pk, mine[0]


def _record_sent(found: dict[int, StatusReport]) -> Counts:
    last = "delivered" not in conf.STATUS_REPLIES.values()
    sent = SmsMessage.objects.change_prepared(_sent_last if last else _sent, **_said(found))
    return {Status.SENT: sent}


def _record_delivered(found: dict[int, StatusReport]) -> Counts:
    return {Status.DELIVERED: SmsMessage.objects.change_prepared(_delivered, **_said(found))}


def _record_failed(found: dict[int, StatusReport]) -> Counts:
    said = _said(found)
    rows = _reported(SmsMessage.objects.on_primary(), said["pks"], said["ids"])
    return rows.end(Status.FAILED, ErrorCode.REPORTED_FAILED, gateway_status=said["codes"])


def _record_raw(found: dict[int, StatusReport]) -> Counts:
    return {"": SmsMessage.objects.change_prepared(_unmapped, **_said(found))}


def _said(found: dict[int, StatusReport]) -> dict[str, Expression]:
    """What the reports say, as the expressions of the updates below."""
    return {
        "pks": Keys(found),
        "ids": ByPk({pk: report.id for pk, report in found.items()}, TEXT),
        "codes": ByPk({pk: report.status for pk, report in found.items()}, INTEGER),
        "times": ByPk({pk: report.sent_at for pk, report in found.items()}, TIME),
    }


def _reported(
    messages: MessageQuerySet,
    pks: Expression,
    ids: Expression,
    statuses: Sequence[Status] = (Status.ACCEPTED, Status.SENT),
) -> MessageQuerySet:
    # Another id: it was sent again meanwhile, and the report is of the first time.
    return messages.past_indexes().filter(Named(pks), status_now__in=statuses, gateway_id=ids)


def _due(messages: MessageQuerySet, most: int) -> Any:
    # In the order of the index: with the key behind it, they were sorted.
    due = messages.checkable().order_by("next_check_at")
    columns = ("pk", "guid", "gateway_id", "accepted_at", "now")
    return due.annotate(now=db_now()).values_list(*columns)[:most]


def _move(messages: MessageQuerySet, *, pks: Expression, times: Expression) -> Change:
    due = messages.past_indexes().filter(Named(pks), check_now__lte=db_now())
    return due, {"next_check_at": times}


def _sent(
    messages: MessageQuerySet,
    *,
    pks: Expression,
    ids: Expression,
    codes: Expression,
    times: Expression,
) -> Change:
    values = {"status": Status.SENT, "gateway_status": codes, "sent_at": times}
    return _reported(messages, pks, ids, [Status.ACCEPTED]), values


def _sent_last(messages: MessageQuerySet, **said: Expression) -> Change:
    rows, values = _sent(messages, **said)
    return rows, values | {"next_check_at": None}


def _delivered(
    messages: MessageQuerySet,
    *,
    pks: Expression,
    ids: Expression,
    codes: Expression,
    times: Expression,
) -> Change:
    return _reported(messages, pks, ids), {
        "status": Status.DELIVERED,
        "gateway_status": codes,
        "sent_at": Coalesce(F("sent_at"), times),
        "delivered_at": db_now(),
        "next_check_at": None,
    }


def _unmapped(
    messages: MessageQuerySet, *, pks: Expression, ids: Expression, codes: Expression, **_: Any
) -> Change:
    return _reported(messages, pks, ids), {"gateway_status": codes}


RECORDERS: dict[str, Callable[[dict[int, StatusReport]], Counts]] = {
    "sent": _record_sent,
    "delivered": _record_delivered,
    "failed": _record_failed,
    "": _record_raw,
}
