"""What a report counts. The database adds up; each function is one statement, by ``created_at``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db.models import (
    Case,
    Count,
    Expression,
    F,
    Func,
    IntegerField,
    Q,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Greatest

from ...choices import Status
from ...models import SmsMessage
from .periods import Period

#: What counts as sent, and what has had no chance to be.
SENT = (Status.SENT, Status.DELIVERED)


NOT_YET = (Status.PENDING, Status.SENDING, Status.CANCELLED)


#: Of senders and tags, so many are named: those with the most messages.
NAMED = 20


#: Up to an hour a time is exact to the second, above it to the minute.
EXACT = 3600


class UnixTime(Func):
    """Whole seconds since 1970, in UTC, by each database's own arithmetic."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite keeps a time as its text."""
        template = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """``EXTRACT`` would count in decimals, which takes longer."""
        template = "FLOOR(DATE_PART('epoch', %(expressions)s))::bigint"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """``UNIX_TIMESTAMP`` would read the time as one of the session's time zone."""
        template = "TIMESTAMPDIFF(SECOND, '1970-01-01', %(expressions)s)"
        return self.as_sql(compiler, connection, template=template, **context)


class Tally(NamedTuple):
    """How many messages, of how many parts."""

    messages: int
    parts: int

    def __add__(self, other: Any) -> Tally:
        return Tally(self.messages + other.messages, self.parts + other.parts)


NONE = Tally(0, 0)


def by_step(period: Period) -> dict[tuple[int, str], Tally]:
    """The messages and parts of each step and status that has any."""
    size = int(period.step.total_seconds())
    local = UnixTime("created_at") + _offset(period)
    rows = _of(period).annotate(step=local - local % size).values("step", "status")
    counted = rows.annotate(messages=Count("pk"), parts=Sum("segments"))
    return {(row["step"], row["status"]): Tally(row["messages"], row["parts"]) for row in counted}


def seconds_to_sent(period: Period) -> Counter[int]:
    """How many messages took how many seconds from their time to "sent"."""
    sent = _of(period).filter(sent_at__isnull=False, status__in=SENT)
    seconds = UnixTime("sent_at") - UnixTime(Greatest("created_at", "send_at"))
    whole = Case(When(Q(took__lt=EXACT), then=F("took")), default=F("took") - F("took") % 60)
    rows = sent.annotate(took=seconds).annotate(rounded=whole).values("rounded")
    found: Counter[int] = Counter()
    for row in rows.annotate(messages=Count("pk")):
        found[max(0, row["rounded"])] += row["messages"]  # the gateway's clock may go behind
    return found


def percentile(found: Counter[int], share: float) -> int | None:
    """The time within which this share of the messages was sent; ``None`` if none was."""
    left = found.total() * share
    for seconds in sorted(found):
        left -= found[seconds]
        if left <= 0:
            return seconds
    return None


def by_reason(period: Period) -> Any:
    """Why messages failed, or are unknown: the error codes, the most frequent first."""
    rows = _of(period).filter(status__in=[Status.FAILED, Status.UNKNOWN]).exclude(error_code="")
    return (
        rows.values("error_code")
        .annotate(
            messages=Count("pk"),
            failed=Count("pk", filter=Q(status=Status.FAILED)),
            unknown=Count("pk", filter=Q(status=Status.UNKNOWN)),
        )
        .order_by("-messages", "error_code")
    )


def by_name(period: Period, field: str) -> Any:
    """The senders or tags with the most messages, and what became of these."""
    return (
        _of(period)
        .exclude(**{field: ""})
        .annotate(name=F(field))
        .values("name")
        .annotate(
            messages=Count("pk"),
            parts=Sum("segments"),
            tried=Count("pk", filter=~Q(status__in=NOT_YET)),
            sent=Count("pk", filter=Q(status__in=SENT)),
            failed=Count("pk", filter=Q(status=Status.FAILED)),
            unknown=Count("pk", filter=Q(status=Status.UNKNOWN)),
        )
        .order_by("-messages", "name")[:NAMED]
    )


def totals(counted: dict[tuple[int, str], Tally], statuses: Iterable[str]) -> dict[str, Tally]:
    """The messages and parts of each of these statuses in the whole period."""
    return {
        status: sum((tally for (_step, its), tally in counted.items() if its == status), NONE)
        for status in statuses
    }


def _of(period: Period) -> Any:
    rows = SmsMessage.objects.filter(created_at__gte=period.start, created_at__lt=period.end)
    return rows.order_by()


def _offset(period: Period) -> Expression:
    *earlier, (_end, last) = period.offsets()
    if not earlier:
        return Value(last)
    whens = [When(created_at__lt=until, then=Value(seconds)) for until, seconds in earlier]
    return Case(*whens, default=Value(last), output_field=IntegerField())
