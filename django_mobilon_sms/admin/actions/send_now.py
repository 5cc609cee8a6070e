"""Send chosen messages with one request, and describe the result in sentences."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ...choices import Status
from ...conf import conf
from ...models import MessageQuerySet, SmsMessage
from ...worker import RunReport, send_now
from ..badges import moment
from . import catalogue

logger = logging.getLogger(__name__)


#: A sentence for the operator, after its level.
Line = tuple[int, Any]


#: By the reason why nothing was sent.
HALTED: dict[str, Any] = {
    "disabled": _("Nothing was sent: sending is switched off (MOBILON_SMS_ENABLED)."),
    "paused": _("Sending is paused. The messages are queued and go out when sending resumes."),
    "quiet": _("These are quiet hours. The messages are queued and go out after %(time)s."),
    "pace": _("The sending limit is reached. The messages are queued and go out after %(time)s."),
    "blocked": _(
        "After trouble with the gateway, sending waits until %(time)s. The messages are queued."
    ),
}


#: By the status that the messages have now.
RESULTS: dict[str, tuple[int, Any]] = {
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


LEFT_TO_WORKER = ngettext_lazy(
    "%(count)s message stays in the queue for the worker: one click sends one request.",
    "%(count)s messages stay in the queue for the worker: one click sends one request.",
    "count",
)


def send(pks: list[int], *, waiting: int, by: AbstractBaseUser) -> Iterator[Line]:
    """Send these pending messages with one request, and yield the sentences about the result.

    ``waiting`` is the number of pending messages that the person chose. Never call it inside a
    transaction.
    """
    catalogue.record(catalogue.SEND_NOW, SmsMessage.objects.for_write().filter(pk__in=pks), by)
    try:
        report = send_now(pks)
    except (ImproperlyConfigured, ImportError) as error:
        logger.error("send_now.configuration error=%s", type(error).__name__)
        text = _("Nothing was sent: a setting is wrong. Run “manage.py check” to find it.")
        yield messages.ERROR, text
    except Error as error:
        logger.error("send_now.database error=%s", type(error).__name__)
        text = _("The database did not answer in time. Check the messages before you go on.")
        yield messages.ERROR, text
    else:
        yield from _results(report, waiting)


def first_request(pending: MessageQuerySet) -> list[int]:
    """Return the primary keys for one request; a message that had trouble before goes alone."""
    in_turn = pending.order_by("priority", "due_at", "pk").values_list("pk", flat=True)
    untroubled = in_turn.filter(attempts=0, resends=0)
    return list(untroubled[: conf.BATCH_SIZE]) or list(in_turn[:1])


def _results(report: RunReport, waiting: int) -> Iterator[Line]:
    if report.halted:
        yield messages.WARNING, HALTED[report.halted] % {"time": moment(report.resumes_at)}
        return
    for status, (level, sentence) in RESULTS.items():
        if count := report.statuses[status]:
            yield level, sentence % {"count": count}
    if left := waiting - report.claimed:
        yield messages.INFO, LEFT_TO_WORKER % {"count": left}
