"""The timeline of a message: what happened, when, and who did it; then what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.translation import gettext_lazy as _

from ...choices import ErrorCode, Status
from ...conf import conf
from ...models import SmsBatch, SmsEvent, SmsMessage, asked_statuses
from .. import history
from ..badges import sentence

#: The newest entries of the admin's log that are searched for those of the message, because no
#: index finds them. The page "History" has all.
MAX_LOG_ENTRIES = 10_000


#: A decision is recorded in the row by the database's clock and in the log by Django's.
SAME_MOMENT = timedelta(seconds=5)


class Step(NamedTuple):
    """Something that happened or, if ``ahead``, is planned."""

    when: datetime
    what: Any
    who: Any = ""
    details: Any = ""
    batch: Any = None
    ahead: bool = False


def steps(message: SmsMessage, now: datetime) -> list[Step]:
    """Return what happened in its order, then what is planned."""
    entries = _log_entries(message)
    program = [*_written(message), *_batches(message, entries), *_reported(message)]
    if changes := list(_changes(message)):
        program = [*_batches(message, entries), *changes]
        written = Step(message.created_at, _("Written"), message.created_by or "")
        program = [written, *sorted(program, key=attrgetter("when"))]
    # These steps keep their order, even if the gateway's clock is behind the database's.
    moments = accumulate((step.when for step in program), max)
    logged = (Step(entry.action_time, history.shown(entry), entry.user) for entry in entries)
    people = [*_decisions(message, entries), *logged]
    past = [*zip(moments, program), *((step.when, step) for step in people)]
    in_order = [step for _moment, step in sorted(past, key=itemgetter(0))]
    return in_order + sorted(_ahead(message, now), key=attrgetter("when"))


def _written(message: SmsMessage) -> Iterator[Step]:
    yield Step(message.created_at, _("Written"), message.created_by or "")
    if message.status == Status.EXPIRED and message.expires_at:
        yield Step(message.expires_at, _("Expired before it was sent"))


def _changes(message: SmsMessage) -> Iterator[Step]:
    """Yield the events of the message, where events are kept."""
    if conf.EVENTS is None:
        return
    changes = SmsEvent.objects.filter(message_id=message.pk).exclude(old_status="").order_by("id")
    for event in changes:
        what = f"{Status(event.old_status).label} → {Status(event.status).label}"
        details = sentence(event.error_code) if event.error_code else ""
        yield Step(event.created_at, what, details=details)


def _batches(message: SmsMessage, entries: list[LogEntry]) -> Iterator[Step]:
    """Yield the steps of its batch, and of those it was in before a person sent it again."""
    before = {pk for entry in entries if (pk := history.batch_of(entry))} - {message.batch_id}
    batches = list(SmsBatch.objects.filter(pk__in=before)) if before else []
    batches += [message.batch] if message.batch else []
    for batch in sorted(batches, key=attrgetter("created_at")):
        yield from _batch(batch)


def _batch(batch: SmsBatch) -> Iterator[Step]:
    yield Step(batch.created_at, _("Taken into a batch"), batch.worker, batch=batch)
    if batch.closed_at:
        details = [str(sentence(batch.error_code))] if batch.error_code else []
        details += [f"HTTP {batch.http_code}"] if batch.http_code else []
        what = _("The request ended: %(outcome)s") % {"outcome": batch.get_outcome_display()}
        yield Step(batch.closed_at, what, details=" ".join(details))


def _reported(message: SmsMessage) -> Iterator[Step]:
    reports = [
        (message.accepted_at, _("The gateway accepted it")),
        (message.sent_at, _("Sent, as the gateway reports")),
        (message.delivered_at, _("Delivered, as the gateway reports")),
    ]
    known = [(when, what) for when, what in reports if when]
    for when, what in known:
        # The row keeps only the last code that the gateway gave.
        is_last, code = (when, what) == known[-1], message.gateway_status
        details = _("code %(code)s") % {"code": code} if is_last and code is not None else ""
        yield Step(when, what, details=details)


def _decisions(message: SmsMessage, entries: list[LogEntry]) -> Iterator[Step]:
    """Yield the decisions that are not in the admin's log: those made over REST or in code."""
    decision, cancelled = _("Decision"), _("Cancelled it.")
    if message.error_code == ErrorCode.STOP_LIST:
        cancelled = _("Not sent: its number was added to the stop list")
    resolution = message.get_resolution_display()
    made = [
        (message.resolved_at, decision, message.resolved_by, resolution),
        (message.resent_at, decision, message.resent_by, _("send again")),
        (message.cancelled_at, cancelled, message.cancelled_by, ""),
    ]
    for when, what, who, details in made:
        if when and not any(abs(entry.action_time - when) < SAME_MOMENT for entry in entries):
            yield Step(when, what, who or "", details)


def _ahead(message: SmsMessage, now: datetime) -> Iterator[Step]:
    if message.status == Status.PENDING:
        if message.due_at <= now:
            what = _("In the queue since then")
        else:
            what = _("Next attempt") if message.attempts else _("To be sent")
        yield Step(message.due_at, what, ahead=True)
        if message.expires_at:
            yield Step(message.expires_at, _("Expires if it has not gone out"), ahead=True)
    asked_at = message.batch.next_check_at if message.batch else None
    if asked_at and message.status in asked_statuses():
        yield Step(asked_at, _("Next status request"), ahead=True)


def _log_entries(message: SmsMessage) -> list[LogEntry]:
    newest = LogEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    entries = LogEntry.objects.filter(
        pk__gt=newest - MAX_LOG_ENTRIES,
        content_type=ContentType.objects.get_for_model(SmsMessage),
        object_id=str(message.pk),
    )
    return list(entries.exclude(action_flag=ADDITION).select_related("user"))
