"""What a person can do with messages: with which of them, how, and the words for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router, transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ...choices import NOT_SENT, Resolution, Status
from ...models import MessageQuerySet, SmsMessage, retry_on_lock

#: Messages in one transaction.
CHUNK = 500


#: How long a transaction is repeated after deadlocks and locks, in seconds.
PATIENCE = 5.0


@dataclass(frozen=True)
class Verb:
    """``eligible`` narrows messages to those it is possible for.

    ``change`` does it, where one conditional update is all there is to it; ``done`` is told to
    the person, ``record`` stays in the history, ``question`` and ``warning`` are asked before.
    """

    name: str
    label: Any
    record: Any
    eligible: Callable[[MessageQuerySet], MessageQuerySet]
    fits: Callable[[SmsMessage], bool]
    done: Any = ""
    change: Callable[[MessageQuerySet, AbstractBaseUser], int] | None = None
    meaning: Any = ""


def undecided(rows: MessageQuerySet) -> MessageQuerySet:
    """What may have gone out, nobody can prove, and nobody has decided about."""
    return rows.filter(status=Status.UNKNOWN, resolution="")


def _is_undecided(message: SmsMessage) -> bool:
    return message.status == Status.UNKNOWN and not message.resolution


def _is_pending(message: SmsMessage) -> bool:
    return message.status == Status.PENDING


SEND_NOW = Verb(
    "send_now",
    _("Send now"),
    _("Asked to send it now."),
    lambda rows: rows.unexpired().filter(status=Status.PENDING),
    _is_pending,
)


REFRESH = Verb(
    "refresh",
    _("Refresh the status"),
    _("Asked to refresh its status."),
    lambda rows: rows.filter(
        status__in=[Status.ACCEPTED, Status.SENT], next_check_at__isnull=False
    ),
    lambda message: (
        message.status in (Status.ACCEPTED, Status.SENT) and message.next_check_at is not None
    ),
    ngettext_lazy(
        "The gateway will be asked about %(count)s message soon.",
        "The gateway will be asked about %(count)s messages soon.",
        "count",
    ),
    lambda rows, by: rows.check_soon(),
)


CANCEL = Verb(
    "cancel",
    _("Cancel"),
    _("Cancelled it."),
    lambda rows: rows.filter(status=Status.PENDING),
    _is_pending,
    ngettext_lazy(
        "%(count)s message was cancelled.", "%(count)s messages were cancelled.", "count"
    ),
    lambda rows, by: rows.cancel(),
)


COPY = Verb(
    "copy",
    _("Copy into a new message"),
    _("Copied it into a new message."),
    lambda rows: rows.filter(status__in=NOT_SENT),
    lambda message: message.status in NOT_SENT,
    ngettext_lazy(
        "%(count)s message was copied. The copy waits for the worker.",
        "%(count)s messages were copied. The copies wait for the worker.",
        "count",
    ),
)


DECIDE = Verb("decide", _("Decide"), "", undecided, _is_undecided)


RESEND = Verb(
    "resend",
    _("Send again"),
    _("Resent it, although it may have gone out."),
    lambda rows: rows.resendable(),
    _is_undecided,
    ngettext_lazy(
        "%(count)s message will be sent again by the worker.",
        "%(count)s messages will be sent again by the worker.",
        "count",
    ),
    lambda rows, by: rows.resend(by=by),
    _(
        "Choose it if the message has not arrived and is still needed, or is too important to be"
        " missed. Whoever got it gets it twice, and it is paid twice."
    ),
)


RESOLVE_SENT = Verb(
    "resolve_sent",
    _("It was sent"),
    _("Decided that it was sent."),
    undecided,
    _is_undecided,
    ngettext_lazy(
        "%(count)s message counts as sent.", "%(count)s messages count as sent.", "count"
    ),
    lambda rows, by: rows.resolve(Resolution.SENT, by=by),
    _("Choose it if the recipient or the gateway's support confirms it. Nothing is sent again."),
)


GIVE_UP = Verb(
    "give_up",
    _("Give up"),
    _("Gave it up."),
    undecided,
    _is_undecided,
    ngettext_lazy("%(count)s message was given up.", "%(count)s messages were given up.", "count"),
    lambda rows, by: rows.resolve(Resolution.GIVEN_UP, by=by),
    _(
        "Choose it if the message is no longer needed, or not so important that it may come twice."
        " Nothing is sent again; who has not got it will not get it."
    ),
)


#: What can be chosen on the page to decide on.
DECISIONS = {verb.name: verb for verb in (RESEND, RESOLVE_SENT, GIVE_UP)}


#: What is offered in the list and on the page of a message.
VERBS = (SEND_NOW, REFRESH, CANCEL, COPY, DECIDE)


def possible(pk: int) -> list[Verb]:
    """What can be done with this message now."""
    row = SmsMessage.objects.for_write().filter(pk=pk)
    return [verb for verb in VERBS if verb.eligible(row).exists()]


def apply(verb: Verb, pks: Sequence[int], *, by: AbstractBaseUser) -> int:
    """Change these messages, unless somebody was faster; returns how many. Each is recorded."""
    chunks = [pks[start : start + CHUNK] for start in range(0, len(pks), CHUNK)]
    return sum(_apply(verb, chunk, by) for chunk in chunks)


def record(verb: Verb, rows: MessageQuerySet, by: AbstractBaseUser) -> None:
    """Write into the history of these messages who did this."""
    named = rows.only("number", "guid")
    LogEntry.objects.log_actions(by.pk, named, CHANGE, str(verb.record))


def _apply(verb: Verb, pks: Sequence[int], by: AbstractBaseUser) -> int:
    """All of them, or, where some have changed meanwhile, each half by itself."""
    if not pks:
        return 0
    attempt = partial(_all_or_none, verb, pks, by)
    if retry_on_lock(attempt, using=router.db_for_write(SmsMessage), seconds=PATIENCE):
        return len(pks)
    middle = len(pks) // 2
    return _apply(verb, pks[:middle], by) + _apply(verb, pks[middle:], by) if middle else 0


def _all_or_none(verb: Verb, pks: Sequence[int], by: AbstractBaseUser) -> bool:
    """An update tells how many rows it changed, not which: so all of them, or none."""
    assert verb.change is not None  # noqa: S101  the verbs without have a way of their own
    rows = SmsMessage.objects.for_write().filter(pk__in=pks)
    with transaction.atomic(using=rows.db):
        if verb.change(rows, by) < len(pks):
            transaction.set_rollback(True, using=rows.db)
            return False
        record(verb, rows, by)
        return True
