"""Record what the gateway reported about accepted messages."""

from __future__ import annotations

import dataclasses
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


class StatusQuery(NamedTuple):
    """A message whose status is queried."""

    pk: int
    guid: UUID
    gateway_id: str


#: The queries of one request, and the reports that came back.
StatusReply = tuple[Sequence[StatusQuery], Sequence[StatusReport]]


#: The number of messages by the status they reached.
Counts = Mapping[str, int] | Mapping[Status, int]


@dataclasses.dataclass(frozen=True, eq=False)
class Meaning:
    """What a report of this meaning does to its message, if that is in one of ``statuses``.

    ``values`` are the new values beside the gateway's code; ``times`` is when each was sent.
    """

    statuses: tuple[Status, ...]
    values: Callable[[Expression], dict[str, Any]]

    def build(
        self,
        messages: MessageQuerySet,
        *,
        pks: Expression,
        ids: Expression,
        codes: Expression,
        times: Expression,
    ) -> Change:
        """Return the rows to update and their new values, for SQL that is built once."""
        rows = _reported(messages, pks, ids, self.statuses)
        return rows, {"gateway_status": codes} | self.values(times)


UNDER_WAY = (Status.ACCEPTED, Status.SENT)


#: A code that is mapped to "failed" ends its message, which ``_write()`` does.
MEANINGS = {
    "sent": Meaning(
        (Status.ACCEPTED,),
        lambda times: {"status": Status.SENT, "sent_at": times},
    ),
    # Where no code means delivered, nothing more is to come.
    "final sent": Meaning(
        (Status.ACCEPTED,),
        lambda times: {"status": Status.SENT, "sent_at": times, "next_check_at": None},
    ),
    "delivered": Meaning(
        UNDER_WAY,
        lambda times: {
            "status": Status.DELIVERED,
            "sent_at": Coalesce(F("sent_at"), times),
            "delivered_at": db_now(),
            "next_check_at": None,
        },
    ),
    # A code that is not mapped is kept and changes nothing else.
    "": Meaning(UNDER_WAY, lambda times: {}),
}


def record(replies: Iterable[StatusReply]) -> Counter[str]:
    """Move the messages to what was reported; return how many reached which status.

    Messages whose report changed nothing are counted under an empty status.
    """
    counts: Counter[str] = Counter()
    writes: list[Callable[[], Counts]] = []
    for queries, reports in replies:
        groups: dict[str, dict[int, StatusReport]] = defaultdict(dict)
        for pk, report in _matches(queries, reports):
            groups[conf.STATUS_REPLIES.get(report.status, "")][pk] = report
        counts[""] += len(queries) - sum(len(matched) for matched in groups.values())
        writes += [partial(_write, meaning, matched) for meaning, matched in groups.items()]
    alias = router.db_for_write(SmsMessage)
    write_all = partial(_write_all, writes, alias)
    for written in retry_on_lock(write_all, using=alias, seconds=RETRY_SECONDS):
        counts.update(written)
    return counts


def _write_all(writes: Iterable[Callable[[], Counts]], alias: str) -> list[Counts]:
    with transaction.atomic(using=alias):
        return [write() for write in writes]


def _matches(
    queries: Sequence[StatusQuery], reports: Iterable[StatusReport]
) -> Iterable[tuple[int, StatusReport]]:
    """Yield each message with its report: by id, and by guid where the report has one."""
    by_id: dict[str, set[StatusReport]] = defaultdict(set)
    for report in reports:
        by_id[report.id].add(report)
    for query in queries:
        own = [r for r in by_id[query.gateway_id] if r.guid is None or r.guid == query.guid]
        if len(own) == 1:  # two different reports for one id prove nothing
            yield query.pk, own[0]


def _write(meaning: str, reports: Mapping[int, StatusReport]) -> Counts:
    """Change the messages with these reports, all of one meaning."""
    pks = PrimaryKeys(reports)
    ids = CasePerPk({pk: report.id for pk, report in reports.items()}, TEXT)
    codes = CasePerPk({pk: report.status for pk, report in reports.items()}, INTEGER)
    times = CasePerPk({pk: report.sent_at for pk, report in reports.items()}, TIME)
    if meaning == "failed":
        rows = _reported(SmsMessage.objects.for_write(), pks, ids, UNDER_WAY)
        return rows.end(Status.FAILED, ErrorCode.REPORTED_FAILED, gateway_status=codes)
    is_final = meaning == "sent" and "delivered" not in conf.STATUS_REPLIES.values()
    build = MEANINGS["final sent" if is_final else meaning].build
    changed = SmsMessage.objects.change_prepared(build, pks=pks, ids=ids, codes=codes, times=times)
    return {meaning: changed}


def _reported(
    messages: MessageQuerySet, pks: Expression, ids: Expression, statuses: Sequence[Status]
) -> MessageQuerySet:
    # With another id it was sent again meanwhile, and the report is about the first time.
    return messages.without_indexes().filter(PkIn(pks), status_now__in=statuses, gateway_id=ids)
