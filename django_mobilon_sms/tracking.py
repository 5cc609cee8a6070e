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

from django.db import models, router
from django.db.models import Expression, F
from django.db.models.functions import Coalesce

from .backends import get_backend
from .choices import ErrorCode, Status
from .clock import db_now
from .conf import conf
from .gateway import MAX_OBJECTS, Backend
from .models import SmsMessage
from .patience import DATABASE_PATIENCE, persist
from .prepared import ByPk, Change, Keys, Named
from .proofs import of_error
from .querysets import MessageQuerySet
from .replies import StatusReport
from .reports import TROUBLE, RunReport, exit_code
from .setting_rules import require_valid
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
    gateway = get_backend()
    while not stopping() and (asked := take_due()):
        reports = _ask(gateway, asked)
        if isinstance(reports, BaseException):
            logger.warning("status.failed error=%s", type(reports).__name__)
            report.exit_codes.append(min(exit_code(of_error(reports)), TROUBLE))
            break
        report.checked += len(asked)
        report.reported += record(asked, reports)
    return report


def take_due() -> list[Asked]:
    """Messages to ask for now, at most one request's; no other worker gets the same.

    Their next time is moved first. Its microseconds are drawn by chance, and tell which of the
    rows were moved by this worker.
    """
    rows = SmsMessage.objects.on_primary()
    due = rows.checkable().order_by("next_check_at")  # as the index: with the key they were sorted
    found = list(
        due.annotate(now=db_now()).values_list("pk", "guid", "gateway_id", "accepted_at", "now")[
            :MAX_OBJECTS
        ]
    )
    if not found:
        return []
    mark = timedelta(microseconds=random.randrange(1_000_000))  # noqa: S311  no secret
    times = {pk: next_check(accepted, now, mark) for pk, _guid, _id, accepted, now in found}
    move = partial(
        rows.change_prepared, _move, pks=Keys(times), times=ByPk(times, models.DateTimeField())
    )
    moved = persist(move, using=rows.db, seconds=DATABASE_PATIENCE)
    asked = [Asked(pk, guid, id_) for pk, guid, id_, *_ in found if times[pk] is not None]
    if moved < len(found):
        marks = {time for time in times.values() if time is not None}
        mine = set(rows.filter(pk__in=list(times), next_check_at__in=marks).values_list("pk"))
        asked = [one for one in asked if (one.pk,) in mine]
    return asked or take_due()


def next_check(accepted_at: datetime, now: datetime, mark: timedelta) -> datetime | None:
    """When to ask again for a message; ``None``: not any more."""
    age = now - accepted_at
    if age >= timedelta(seconds=conf.STATUS_MAX_AGE):
        return None
    wait = next((wait for until, wait in WAITS if age < until), LAST_WAIT)
    return now + wait + mark


def record(asked: Sequence[Asked], reports: Iterable[StatusReport]) -> Counter[str]:
    """Move the messages to what was reported; returns how many came to which status.

    Those whose report changed nothing are counted under an empty one.
    """
    groups: dict[str, dict[int, StatusReport]] = defaultdict(dict)
    for pk, report in _matches(asked, reports):
        groups[conf.STATUS_REPLIES.get(report.status, "")][pk] = report
    alias = router.db_for_write(SmsMessage)
    matched = sum(len(found) for found in groups.values())
    counts: Counter[str] = Counter({"": len(asked) - matched})
    for meaning, found in groups.items():
        write = partial(RECORDERS[meaning], found)
        counts.update(persist(write, using=alias, seconds=DATABASE_PATIENCE))
    return counts


def _ask(gateway: Backend, asked: Sequence[Asked]) -> list[StatusReport] | BaseException:
    calls: Calls[str, list[StatusReport]] = Calls(conf.TIMEOUT + GRACE)
    ids = list(dict.fromkeys(one.gateway_id for one in asked))
    calls.start("status", partial(gateway.status, ids))
    [(_, reports)] = calls.wait()
    return reports


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
        "ids": ByPk({pk: report.id for pk, report in found.items()}, models.TextField()),
        "codes": ByPk({pk: report.status for pk, report in found.items()}, models.IntegerField()),
        "times": ByPk({pk: report.sent_at for pk, report in found.items()}, models.DateTimeField()),
    }


def _reported(
    messages: MessageQuerySet,
    pks: Expression,
    ids: Expression,
    statuses: Sequence[Status] = (Status.ACCEPTED, Status.SENT),
) -> MessageQuerySet:
    # Another id: it was sent again meanwhile, and the report is of the first time.
    return messages.past_indexes().filter(Named(pks), status_now__in=statuses, gateway_id=ids)


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
