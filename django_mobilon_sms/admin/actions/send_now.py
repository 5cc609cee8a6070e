"""Send now: one POST, and what came of it in words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ...choices import Status
from ...conf import conf
from ...models import MessageQuerySet, SmsMessage
from ...worker import RunReport, send_now
from . import catalogue

logger = logging.getLogger(__name__)


#: The level of a line for the person, and the line.
Line = tuple[int, Any]


HALTED: dict[str, Any] = {
    "disabled": _("Nothing was sent: sending is switched off (MOBILON_SMS_ENABLED)."),
    "paused": _("Nothing was sent: sending is paused. Resume it, and send again."),
    "quiet": _("Nothing was sent: these are quiet hours. The worker sends it after %(time)s."),
    "pace": _("Nothing was sent: the pace is reached. The worker sends it after %(time)s."),
    "blocked": _("Nothing was sent: after trouble with the gateway it waits until %(time)s."),
}


CAME_TO: dict[str, tuple[int, Any]] = {
    Status.ACCEPTED: (
        messages.SUCCESS,
        ngettext_lazy(
            "The gateway accepted %(count)s message.",
            "The gateway accepted %(count)s messages.",
            "count",
        ),
    ),
    Status.FAILED: (
        messages.ERROR,
        ngettext_lazy("%(count)s message failed.", "%(count)s messages failed.", "count"),
    ),
    Status.UNKNOWN: (
        messages.WARNING,
        ngettext_lazy(
            "%(count)s message may have gone out, and nobody can prove it: it waits for a"
            " decision.",
            "%(count)s messages may have gone out, and nobody can prove it: they wait for a"
            " decision.",
            "count",
        ),
    ),
    Status.PENDING: (
        messages.WARNING,
        ngettext_lazy(
            "%(count)s message did not go out because of trouble with the gateway. The worker"
            " will try again.",
            "%(count)s messages did not go out because of trouble with the gateway. The worker"
            " will try again.",
            "count",
        ),
    ),
}


LEFT = ngettext_lazy(
    "%(count)s message is left to the worker: one request at a time is sent from here.",
    "%(count)s messages are left to the worker: one request at a time is sent from here.",
    "count",
)


def send(pks: list[int], *, waiting: int, by: AbstractBaseUser) -> Iterator[Line]:
    """Send these pending messages in one POST; says what came of it.

    ``waiting`` is how many pending messages the person chose. Never inside a transaction.
    """
    catalogue.record(catalogue.SEND_NOW, SmsMessage.objects.for_write().filter(pk__in=pks), by)
    try:
        report = send_now(pks)
    except (ImproperlyConfigured, ImportError) as error:
        logger.error("send_now.configuration error=%s", type(error).__name__)
        text = _("Nothing was sent: a setting is wrong. “manage.py check” tells which.")
        yield messages.ERROR, text
    except DatabaseError as error:
        logger.error("send_now.database error=%s", type(error).__name__)
        text = _("The database did not answer in time. Look at the messages before you go on.")
        yield messages.ERROR, text
    else:
        yield from _told(report, waiting)


def first_post(pending: MessageQuerySet) -> list[int]:
    """Those of the pending messages that go with one POST: what had trouble before goes alone."""
    in_turn = pending.order_by("priority", "due_at", "pk").values_list("pk", flat=True)
    untroubled = in_turn.filter(attempts=0, resends=0)
    return list(untroubled[: conf.BATCH_SIZE]) or list(in_turn[:1])


def _told(report: RunReport, waiting: int) -> Iterator[Line]:
    if report.halted:
        until = report.resumes_at and formats.date_format(
            timezone.localtime(report.resumes_at), "DATETIME_FORMAT"
        )
        yield messages.WARNING, HALTED[report.halted] % {"time": until}
        return
    for status, (level, sentence) in CAME_TO.items():
        if count := report.statuses[status]:
            yield level, sentence % {"count": count}
    if left := waiting - report.claimed:
        yield messages.INFO, LEFT % {"count": left}
