"""Count messages by status, sender, tag, reason and the time to "sent"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, NamedTuple

from django.db.models import Case, Count, F, Func, IntegerField, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Greatest

from ...choices import Status

#: The kinds of a count: what its name is. The name of ``STATUS`` is empty.
STATUS, SOURCE, TAG, REASON, SECONDS = "status", "source", "tag", "error_code", "seconds"

#: Statuses of messages that were sent.
SENT = (Status.SENT, Status.DELIVERED)

#: Tags that are counted by name, those with the most messages; the others count as "".
MAX_TAGS = 100

#: Up to so many seconds, the time to "sent" is exact. Above, it is rounded down to the minute.
EXACT_SECONDS = 120


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


class Key(NamedTuple):
    """What a tally counts."""

    kind: str
    name: str
    status: str


NONE = Tally(0, 0)
Tallies = dict[Key, Tally]


def tally(messages: QuerySet[Any], *, tags: Collection[str] = ()) -> Tallies:
    """Count these messages, by three queries. ``tags`` are counted by name in any case."""
    rows = _with_seconds(messages.order_by())
    tallies: Tallies = defaultdict(lambda: NONE)
    for status, source, code, seconds, *counted in _count(
        rows, "status", "source", "error_code", "seconds"
    ):
        names = {STATUS: "", SOURCE: source}
        if code and status in (Status.FAILED, Status.UNKNOWN):
            names[REASON] = code
        if seconds is not None:
            names[SECONDS] = str(max(0, seconds))  # the gateway's clock may be behind
        for kind, name in names.items():
            tallies[Key(kind, name, status)] += Tally(*counted)
    if tallies:
        _add_tags(tallies, messages.order_by().exclude(tag=""), tags)
    return dict(tallies)


def _add_tags(tallies: Tallies, tagged: QuerySet[Any], tags: Collection[str]) -> None:
    others = tagged.exclude(tag__in=tags).values("tag").annotate(most=Count("pk"))
    frequent = others.order_by("-most", "tag").values_list("tag", flat=True)
    named = [*tags, *frequent[: max(0, MAX_TAGS - len(tags))]]
    rows = tagged.annotate(name=Case(When(tag__in=named, then=F("tag")), default=Value("")))
    for tag, status, *counted in _count(rows, "name", "status"):
        tallies[Key(TAG, tag, status)] += Tally(*counted)


def _with_seconds(messages: QuerySet[Any]) -> QuerySet[Any]:
    """Add ``seconds`` between the send time and "sent" to the messages that were sent."""
    took = UnixTime("sent_at") - UnixTime(Greatest("created_at", "send_at"))
    sent = Q(sent_at__isnull=False, status__in=SENT)
    exact = When(sent & Q(took__lt=EXACT_SECONDS), then=F("took"))
    rounded = When(sent, then=F("took") - F("took") % 60)
    seconds = Case(exact, rounded, output_field=IntegerField())
    rows: QuerySet[Any] = messages.alias(took=took).annotate(seconds=seconds)
    return rows


def _count(rows: QuerySet[Any], *fields: str) -> Any:
    counted = rows.values(*fields).annotate(total=Count("pk"), total_segments=Sum("segments"))
    return counted.values_list(*fields, "total", "total_segments")
