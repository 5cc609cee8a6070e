"""The actions on messages: which messages each is for, how it is done, and its sentences."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ...choices import NOT_SENT, Resolution, Status
from ...models import MessageQuerySet, SmsMessage, in_asked_batch
from .. import history
from ..database_busy import DatabaseBusy, write
from ..messages import permissions

#: Messages that one transaction changes at most.
CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class MessageAction:
    """Something an operator can do with messages."""

    name: str
    label: Any
    #: Only messages in one of these statuses that meet the condition are eligible.
    statuses: Collection[Status]
    condition: Q = field(default_factory=Q)
    #: The rest of the rule, where it takes more than the columns of the message.
    narrow: Callable[[MessageQuerySet], MessageQuerySet] | None = None
    #: The conditional update. Send now, copy and decide have modules of their own instead.
    change: Callable[[MessageQuerySet, AbstractBaseUser], int] | None = None
    #: The sentence shown after the action, with the ``count`` of messages changed.
    result: Any = ""
    #: The sentence kept in the history of each message.
    history: Any = ""
    #: The sentence on the page for decisions that says when to choose the action.
    meaning: Any = ""
    #: The permission that the action needs there.
    permission: str = permissions.SEND

    @property
    def rule(self) -> Q:
        """The condition on a message and its batch."""
        return Q(status__in=self.statuses) & self.condition

    def eligible(self, rows: MessageQuerySet) -> MessageQuerySet:
        """Return those of the messages that the action is possible for."""
        rows = rows.filter(self.rule)
        return self.narrow(rows) if self.narrow else rows


SEND_NOW = MessageAction(
    name="send_now",
    label=_("Send now"),
    statuses=[Status.PENDING],
    narrow=MessageQuerySet.unexpired,
    history=_("Pressed “Send now”."),
)


REFRESH = MessageAction(
    name="refresh",
    label=_("Refresh the status"),
    statuses=[Status.ACCEPTED, Status.SENT],
    condition=Q(in_asked_batch()),
    narrow=MessageQuerySet.asked_for,
    change=lambda rows, by: rows.check_soon(),
    result=ngettext_lazy(
        "The gateway will be asked about %(count)s message soon.",
        "The gateway will be asked about %(count)s messages soon.",
        "count",
    ),
    history=_("Asked to refresh its status."),
)


CANCEL = MessageAction(
    name="cancel",
    label=_("Cancel"),
    statuses=[Status.PENDING],
    change=lambda rows, by: rows.cancel(by=by),
    result=ngettext_lazy(
        "%(count)s message was cancelled.", "%(count)s messages were cancelled.", "count"
    ),
    history=_("Cancelled it."),
)


COPY = MessageAction(
    name="copy",
    label=_("Send again as new messages"),
    statuses=NOT_SENT,
    result=ngettext_lazy(
        "%(count)s new message is queued.", "%(count)s new messages are queued.", "count"
    ),
    history=_("Copied it into a new message."),
)


DECIDE = MessageAction(
    name="decide",
    label=_("Decide"),
    statuses=[Status.UNKNOWN],
    condition=Q(resolution=""),
)


# The decisions are for the same messages as DECIDE, which leads to them.
RESEND = replace(
    DECIDE,
    name="resend",
    label=_("Send again"),
    narrow=MessageQuerySet.resendable,
    change=lambda rows, by: rows.resend(by=by),
    result=ngettext_lazy(
        "%(count)s message will be sent again by the worker.",
        "%(count)s messages will be sent again by the worker.",
        "count",
    ),
    history=_("Queued to be sent again, although it may have gone out."),
    meaning=_(
        "Choose it if the message has not arrived and is still needed, or is too important to be"
        " missed. Whoever got it gets it twice, and it is paid twice."
    ),
    permission=permissions.RESEND,
)


RESOLVE_SENT = replace(
    DECIDE,
    name="resolve_sent",
    label=_("It was sent"),
    change=lambda rows, by: rows.resolve(Resolution.SENT, by=by),
    result=ngettext_lazy(
        "%(count)s message counts as sent.", "%(count)s messages count as sent.", "count"
    ),
    history=_("Marked as sent."),
    meaning=_(
        "Choose it if the recipient or the gateway's support confirms it. Nothing is sent again."
    ),
)


GIVE_UP = replace(
    DECIDE,
    name="give_up",
    label=_("Give up"),
    change=lambda rows, by: rows.resolve(Resolution.GIVEN_UP, by=by),
    result=ngettext_lazy(
        "%(count)s message was given up.", "%(count)s messages were given up.", "count"
    ),
    history=_("Gave it up."),
    meaning=_(
        "Choose it if the message is no longer needed, or not so important that it may come twice."
        " Nothing is sent again; who has not got it will not get it."
    ),
)


#: The choices on the page for decisions.
DECISIONS = {action.name: action for action in (RESEND, RESOLVE_SENT, GIVE_UP)}


def decisions_of(user: Any) -> list[MessageAction]:
    """Return the decisions that this person may choose."""
    return [action for action in DECISIONS.values() if user.has_perm(action.permission)]


#: The actions of the list and of the page of a message.
ACTIONS = (SEND_NOW, REFRESH, CANCEL, COPY, DECIDE)


def apply(action: MessageAction, pks: Sequence[int], *, by: AbstractBaseUser) -> int:
    """Change these messages and record it in their history; return how many were changed.

    Messages that somebody else changed meanwhile are skipped: where some have, and where there
    are too many for one transaction, each half is tried separately. Raises ``DatabaseBusy`` if the
    database is busy before any was changed.
    """
    if not pks:
        return 0
    if len(pks) <= CHUNK and write(partial(_all_or_none, action, pks, by), SmsMessage):
        return len(pks)
    middle, changed = len(pks) // 2, 0
    for half in (pks[:middle], pks[middle:]) if middle else ():
        try:
            changed += apply(action, half, by=by)
        except DatabaseBusy:
            if not changed:
                raise
            break
    return changed


def record(action: MessageAction, rows: MessageQuerySet, by: AbstractBaseUser) -> None:
    """Add the action to the history of these messages."""
    named = rows.only("number", "guid")
    if action.name != RESEND.name:
        return history.record(named, action.history, by=by)
    # The next claim overwrites the batch, whose outcome the timeline still shows.
    for batch in rows.order_by().values_list("batch", flat=True).distinct():
        history.record(named.filter(batch=batch), action.history, by=by, batch=batch)
    return None


def _all_or_none(action: MessageAction, pks: Sequence[int], by: AbstractBaseUser) -> bool:
    """Change all of them or none: an UPDATE returns how many rows it changed, not which."""
    assert action.change is not None  # noqa: S101  the actions without one never get here
    rows = SmsMessage.objects.for_write().filter(pk__in=pks)
    with transaction.atomic(using=rows.db):
        if action.change(rows, by) < len(pks):
            transaction.set_rollback(True, using=rows.db)
            return False
        record(action, rows, by)
        return True
