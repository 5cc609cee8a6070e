"""Record what the gateway reported about accepted messages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db import router, transaction
from django.db.models import Expression, F
from django.db.models.functions import Coalesce

from ..choices import ErrorCode, Status
from ..conf import conf
from ..gateway import StatusReport
from ..models import (
    INTEGER,
    RETRY_SECONDS,
    TEXT,
    TIME,
    CasePerPk,
    Change,
    MessageQuerySet,
    PkIn,
    PrimaryKeys,
    SmsMessage,
    db_now,
    retry_on_lock,
)

#: What was asked for in one request, and what the gateway told.
Answered = tuple[Sequence["Asked"], Sequence[StatusReport]]


#: How many messages came to which status.
Counts = Mapping[str, int] | Mapping[Status, int]


class Asked(NamedTuple):
    """A message that is asked for."""

    pk: int
    guid: UUID
    gateway_id: str


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
    for written in retry_on_lock(
        partial(_write, writes, alias), using=alias, seconds=RETRY_SECONDS
    ):
        counts.update(written)
    return counts


def _write(writes: Iterable[Callable[[], Counts]], alias: str) -> list[Counts]:
    with transaction.atomic(using=alias):
        return [write() for write in writes]


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
    rows = _reported(SmsMessage.objects.for_write(), said["pks"], said["ids"])
    return rows.end(Status.FAILED, ErrorCode.REPORTED_FAILED, gateway_status=said["codes"])


def _record_raw(found: dict[int, StatusReport]) -> Counts:
    return {"": SmsMessage.objects.change_prepared(_unmapped, **_said(found))}


def _said(found: dict[int, StatusReport]) -> dict[str, Expression]:
    """What the reports say, as the expressions of the updates below."""
    return {
        "pks": PrimaryKeys(found),
        "ids": CasePerPk({pk: report.id for pk, report in found.items()}, TEXT),
        "codes": CasePerPk({pk: report.status for pk, report in found.items()}, INTEGER),
        "times": CasePerPk({pk: report.sent_at for pk, report in found.items()}, TIME),
    }


def _reported(
    messages: MessageQuerySet,
    pks: Expression,
    ids: Expression,
    statuses: Sequence[Status] = (Status.ACCEPTED, Status.SENT),
) -> MessageQuerySet:
    # Another id: it was sent again meanwhile, and the report is of the first time.
    return messages.without_indexes().filter(PkIn(pks), status_now__in=statuses, gateway_id=ids)


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
