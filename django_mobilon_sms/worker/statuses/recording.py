"""Record what the gateway reported about accepted messages."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, starmap
from typing import Any, NamedTuple
from uuid import UUID

from django.db import router, transaction
from django.db.models import Exists, Expression, F, OuterRef
from django.db.models.functions import Coalesce

from ...choices import ErrorCode, Status
from ...conf import conf
from ...gateway import StatusReport
from ...models import (
    INTEGER,
    RETRY_SECONDS,
    TEXT,
    TIME,
    BatchKeys,
    BatchQuerySet,
    Change,
    MessageQuerySet,
    PkIn,
    PrimaryKeys,
    SmsBatch,
    SmsMessage,
    ValuePerPk,
    asked_statuses,
    db_now,
    retry_on_lock,
    update,
)


class StatusQuery(NamedTuple):
    """A message whose status is queried."""

    pk: int
    guid: UUID
    gateway_id: str
    status: str
    gateway_status: int | None
    batch: UUID


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
    "delivered": Meaning(
        UNDER_WAY,
        lambda times: {
            "status": Status.DELIVERED,
            "sent_at": Coalesce(F("sent_at"), times),
            "delivered_at": db_now(),
        },
    ),
    # A code that is not mapped is kept and changes nothing else.
    "": Meaning(UNDER_WAY, lambda times: {}),
}


def record(replies: Iterable[StatusReply], batches: Collection[UUID]) -> Counter[str]:
    """Move the messages to what was reported; return how many reached which status.

    Messages whose report says nothing new are counted under an empty status, and not written.
    Of these batches, those that have no message left to query are not queried again.
    """
    counts: Counter[str] = Counter()
    meaning_of = conf.STATUS_REPLIES  # read once: each access reads the settings
    news: dict[str, dict[int, StatusReport]] = defaultdict(dict)
    for query, report in chain.from_iterable(starmap(_matches, replies)):
        meaning = meaning_of.get(report.status, "") if report else ""
        if report and _is_news(query, report, meaning):
            news[meaning][query.pk] = report
        else:
            counts[""] += 1
    if news:
        alias = router.db_for_write(SmsMessage)
        write = partial(_write_all, news, batches, alias)
        for written in retry_on_lock(write, using=alias, seconds=RETRY_SECONDS):
            counts.update(written)
    return counts


def _is_news(query: StatusQuery, report: StatusReport, meaning: str) -> bool:
    """Whether a report changes its message: the status, or the code that is kept."""
    if meaning == "sent":
        return query.status == Status.ACCEPTED
    return meaning != "" or report.status != query.gateway_status


def _write_all(
    news: Mapping[str, Mapping[int, StatusReport]], batches: Collection[UUID], alias: str
) -> list[Counts]:
    with transaction.atomic(using=alias):
        written = [_write(meaning, reports) for meaning, reports in news.items()]
        if batches:  # or PostgreSQL would be given an empty list
            update(_settled, SmsBatch, asked_statuses(), batches=BatchKeys(batches))
        return written


def _settled(rows: BatchQuerySet, statuses: Sequence[Status], *, batches: Expression) -> Change:
    left = SmsMessage.objects.without_indexes().filter(
        batch=OuterRef("pk"), status_now__in=statuses
    )
    return rows.filter(PkIn(batches), ~Exists(left)), {"next_check_at": None}


def _matches(
    queries: Sequence[StatusQuery], reports: Iterable[StatusReport]
) -> Iterable[tuple[StatusQuery, StatusReport | None]]:
    """Yield each message with its report, if it has one: by id, and by guid if that is given."""
    by_id: dict[str, set[StatusReport]] = defaultdict(set)
    for report in reports:
        by_id[report.id].add(report)
    for query in queries:
        own = [r for r in by_id[query.gateway_id] if r.guid is None or r.guid == query.guid]
        # Two different reports for one id prove nothing.
        yield query, own[0] if len(own) == 1 else None


def _write(meaning: str, reports: Mapping[int, StatusReport]) -> Counts:
    """Change the messages with these reports, all of one meaning."""
    pks = PrimaryKeys(reports)
    ids = ValuePerPk({pk: report.id for pk, report in reports.items()}, TEXT)
    codes = ValuePerPk({pk: report.status for pk, report in reports.items()}, INTEGER)
    times = ValuePerPk({pk: report.sent_at for pk, report in reports.items()}, TIME)
    if meaning == "failed":
        rows = _reported(SmsMessage.objects.for_write(), pks, ids, UNDER_WAY)
        return rows.end(Status.FAILED, ErrorCode.REPORTED_FAILED, gateway_status=codes)
    build = MEANINGS[meaning].build
    changed = SmsMessage.objects.change_prepared(build, pks=pks, ids=ids, codes=codes, times=times)
    return {meaning: changed}


def _reported(
    messages: MessageQuerySet, pks: Expression, ids: Expression, statuses: Sequence[Status]
) -> MessageQuerySet:
    # With another id it was sent again meanwhile, and the report is about the first time.
    return messages.without_indexes().filter(PkIn(pks), status_now__in=statuses, gateway_id=ids)
