"""Whether messages go out now, in a word and a sentence: for the admin and ``sms_status``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..choices import ErrorCode, Priority, Status
from ..conf import conf, show_moment
from ..limits import quiet_until
from ..models import GatewayState, Heartbeat, MessageQuerySet, SmsMessage, db_now

#: A count is exact up to this number of rows; ``COUNT_LIMIT + 1`` means more.
COUNT_LIMIT = 100_000

WORDS = ("works", "idle", "nobody", "quiet", "probing", "blocked", "paused", "disabled")


class SendingState(NamedTuple):
    """Whether messages go out, and why not.

    ``word`` is one of ``WORDS``: ``works`` (a worker runs), ``idle`` (none runs, and none is
    needed), ``nobody`` (none runs, and messages wait), or the reason why sending waits.
    """

    word: str
    waiting: int = 0  # messages that nobody sends; counted for ``nobody`` only
    since: datetime | None = None  # of the pause, or of the last heartbeat
    by: str = ""  # who paused
    until: datetime | None = None  # the end of the quiet hours, or the next try
    error_code: str = ""  # the cause of ``blocked`` and ``probing``, if it is known
    http_code: int | None = None

    def __str__(self) -> str:
        return " ".join(_sentences(self))


def observe_sending(state: GatewayState | None = None) -> SendingState:
    """Read whether messages go out now; two queries where all is well. Writes nothing."""
    state = state or GatewayState.objects.peek()
    condition = gateway_condition(state)
    if condition == "disabled":
        return SendingState(condition)
    if condition == "paused":
        return SendingState(condition, since=state.paused_at, by=str(state.paused_by or ""))
    last_beat, is_recent = _last_heartbeat()
    if not is_recent and (waiting := count_waiting(state.now)):
        return SendingState("nobody", waiting, since=last_beat)
    if condition == "quiet":
        return SendingState(condition, until=quiet_until(state.now))
    if condition in ("blocked", "probing"):
        until, error_code, http_code = state.blocked_until, state.error_code, state.http_code
        return SendingState(condition, until=until, error_code=error_code, http_code=http_code)
    return SendingState("works" if is_recent else "idle", since=last_beat)


def gateway_condition(state: GatewayState) -> str:
    """Return a word for whether messages may be sent now: see ``Snapshot.gateway``."""
    if not conf.ENABLED:
        return "disabled"
    if state.paused_at:
        return "paused"
    if state.blocked_until is None:
        return "quiet" if quiet_until(state.now) else "ready"
    return "blocked" if state.blocked_until > state.now else "probing"


def pending(priority: Priority) -> MessageQuerySet:
    """Return the pending messages of a priority.

    The index has the priority before the time, so that a query for one priority reads no messages
    of the future.
    """
    return SmsMessage.objects.for_write().filter(status=Status.PENDING, priority=priority)


def count_waiting(now: datetime) -> int:
    """Count the due messages that may go out now: in quiet hours only the urgent ones."""
    priorities = [Priority.HIGH] if quiet_until(now) else list(Priority)
    return count(*(pending(priority).filter(due_at__lte=db_now()) for priority in priorities))


def count(*querysets: QuerySet[SmsMessage]) -> int:
    """Count these rows, up to ``COUNT_LIMIT``."""
    most = COUNT_LIMIT + 1
    return min(sum(rows.order_by().values("pk")[:most].count() for rows in querysets), most)


def show_count(number: int) -> str:
    """Return a count, with a plus sign if there are more."""
    return f"{COUNT_LIMIT}+" if number > COUNT_LIMIT else str(number)


def _last_heartbeat() -> tuple[datetime | None, bool]:
    """Return the newest heartbeat, and whether it is younger than ``WORKER_SILENCE``."""
    beats = Heartbeat.objects.past().annotate(now=db_now()).values_list("beat_at", "now")
    beat_at, now = beats.first() or (None, None)
    recent = beat_at and now - beat_at <= timedelta(seconds=conf.WORKER_SILENCE)
    return beat_at, bool(recent)


def _sentences(state: SendingState) -> list[str]:
    paused = _("Sending has been paused since %(time)s by %(person)s.")
    if not state.by:
        paused = _("Sending has been paused since %(time)s.")
    sentences = {
        "works": [_("Sending works.")],
        "idle": [_("No message waits."), _last_seen(state)],
        "nobody": [_last_seen(state), _waiting(state)],
        "quiet": [_("Quiet hours: until %(time)s only urgent messages go out.")],
        "probing": [_reason(state), _("The next message goes alone, to test the gateway.")],
        "blocked": [_reason(state), _("Next try: %(time)s.")],
        "paused": [paused],
        "disabled": [_("Sending is switched off in the settings (MOBILON_SMS_ENABLED).")],
    }
    values = {"time": show_moment(state.until or state.since), "person": state.by}
    return [sentence % values for sentence in sentences[state.word]]


def _last_seen(state: SendingState) -> str:
    if state.since is None:
        return _("No worker has run yet.")
    if state.word == "nobody":
        return _("Nobody has sent since %(time)s.") % {"time": show_moment(state.since)}
    return _("The last worker was seen at %(time)s.") % {"time": show_moment(state.since)}


def _waiting(state: SendingState) -> str:
    text = ngettext("%(count)s message waits.", "%(count)s messages wait.", state.waiting)
    return text % {"count": show_count(state.waiting)}


def _reason(state: SendingState) -> str:
    """Return why sending waits, with the HTTP code if the gateway answered with one."""
    if not state.error_code:
        return _("There was trouble with the gateway.")
    sentence = str(ErrorCode(state.error_code).label)
    return f"{sentence.rstrip('.')} ({state.http_code})." if state.http_code else sentence
