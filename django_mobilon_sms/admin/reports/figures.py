"""The figures of a report. The database counts messages by ``created_at``, one query each."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timezone
from typing import Any, NamedTuple

from django.db.models import Case, Count, F, Func, IntegerField, Q, Sum, When
from django.db.models.functions import Greatest

from ...choices import Status
from ...models import SmsMessage
from .periods import Period

#: Statuses of messages that were sent.
SENT = (Status.SENT, Status.DELIVERED)

#: Statuses of messages that had no chance to be sent.
NOT_TRIED = (Status.PENDING, Status.SENDING, Status.CANCELLED)

#: Senders or tags that a report lists, those with the most messages.
MAX_NAMES = 20

#: The counts of each reason, sender and tag.
COUNTS = {
    "messages": Count("pk"),
    "failed": Count("pk", filter=Q(status=Status.FAILED)),
    "unknown": Count("pk", filter=Q(status=Status.UNKNOWN)),
}

#: Seconds by which the database counts. Every offset of a time zone since 2000 is a multiple.
QUARTER = 900

#: Up to so many seconds, the time to "sent" is exact. Above, it is rounded down to the minute.
EXACT_SECONDS = 3600


#: The SQL of ``UnixTime`` by database. PostgreSQL's ``EXTRACT`` counts in slower decimals, and
#: MySQL's ``UNIX_TIMESTAMP`` applies the time zone of the session.
UNIX_TIME = {
    "sqlite": "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)",
    "postgresql": "FLOOR(DATE_PART('epoch', %(expressions)s))::bigint",
    "mysql": "TIMESTAMPDIFF(SECOND, '1970-01-01', %(expressions)s)",
}


class UnixTime(Func):
    """Whole seconds since 1970, in UTC."""

    output_field = IntegerField()

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **context: Any) -> Any:
        """Use this database's own function."""
        context["template"] = UNIX_TIME[connection.vendor]
        return super().as_sql(compiler, connection, *args, **context)


class Tally(NamedTuple):
    """A number of messages, and of their segments."""

    messages: int
    segments: int

    def __add__(self, other: Any) -> Tally:
        return Tally(self.messages + other.messages, self.segments + other.segments)


NONE = Tally(0, 0)


def by_step(period: Period) -> dict[tuple[datetime, str], Tally]:
    """Count messages and segments by step and status."""
    quarter = UnixTime("created_at") - UnixTime("created_at") % QUARTER
    rows = _messages(period).annotate(quarter=quarter).values("quarter", "status")
    tallies: dict[tuple[datetime, str], Tally] = defaultdict(lambda: NONE)
    for row in rows.annotate(messages=Count("pk"), total_segments=Sum("segments")):
        step = period.step_of(datetime.fromtimestamp(row["quarter"], timezone.utc))
        tallies[step, row["status"]] += Tally(row["messages"], row["total_segments"])
    return tallies


def seconds_to_sent(period: Period) -> Counter[int]:
    """Count sent messages by the seconds between their send time and "sent"."""
    sent = _messages(period).filter(sent_at__isnull=False, status__in=SENT)
    seconds = UnixTime("sent_at") - UnixTime(Greatest("created_at", "send_at"))
    to_minute = F("took") - F("took") % 60
    rounded = Case(When(Q(took__lt=EXACT_SECONDS), then=F("took")), default=to_minute)
    rows = sent.annotate(took=seconds).annotate(rounded=rounded).values("rounded")
    counts: Counter[int] = Counter()
    for row in rows.annotate(messages=Count("pk")):
        counts[max(0, row["rounded"])] += row["messages"]  # the gateway's clock may be behind
    return counts


def percentile(counts: Counter[int], share: float) -> int | None:
    """Return the seconds within which this share of the messages was sent, if any was."""
    left = counts.total() * share
    for seconds in sorted(counts):
        left -= counts[seconds]
        if left <= 0:
            return seconds
    return None


def by_reason(period: Period) -> Any:
    """Count failed and unknown messages by error code, the most frequent first."""
    rows = _messages(period).filter(status__in=[Status.FAILED, Status.UNKNOWN])
    reasons = rows.exclude(error_code="").values("error_code")
    return reasons.annotate(**COUNTS).order_by("-messages", "error_code")


def by_name(period: Period, field: str) -> Any:
    """Count messages by sender or tag: those with the most messages."""
    names = _messages(period).exclude(**{field: ""}).annotate(name=F(field)).values("name")
    counted = names.annotate(
        **COUNTS,
        total_segments=Sum("segments"),
        tried=Count("pk", filter=~Q(status__in=NOT_TRIED)),
        sent=Count("pk", filter=Q(status__in=SENT)),
    )
    return counted.order_by("-messages", "name")[:MAX_NAMES]


def _messages(period: Period) -> Any:
    rows = SmsMessage.objects.filter(created_at__gte=period.start, created_at__lt=period.end)
    return rows.order_by()
