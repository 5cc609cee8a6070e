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
from ...conf import conf, show_time
from ...models import MessageQuerySet, SmsMessage, db_now
from ...worker import RunReport, send_now
from . import catalogue

logger = logging.getLogger(__name__)


#: A sentence for the operator, after its level.
Line = tuple[int, Any]


#: By the reason why nothing was sent. The messages go out without another click, so that nobody
#: writes them once more.
HALTED: dict[str, Any] = {
    "disabled": ngettext_lazy(
        "Sending is switched off in the settings (MOBILON_SMS_ENABLED). The message is queued and"
        " goes out when sending is switched on.",
        "Sending is switched off in the settings (MOBILON_SMS_ENABLED). The messages are queued and"
        " go out when sending is switched on.",
        "count",
    ),
    "paused": ngettext_lazy(
        "Sending is paused. The message is queued and goes out when sending resumes.",
        "Sending is paused. The messages are queued and go out when sending resumes.",
        "count",
    ),
    "quiet": ngettext_lazy(
        "These are quiet hours. The message is queued and goes out after %(time)s.",
        "These are quiet hours. The messages are queued and go out after %(time)s.",
        "count",
    ),
    "pace": ngettext_lazy(
        "The sending limit is reached. The message is queued and goes out after %(time)s.",
        "The sending limit is reached. The messages are queued and go out after %(time)s.",
        "count",
    ),
    "blocked": ngettext_lazy(
        "After trouble with the gateway, sending waits until %(time)s. The message is queued and"
        " goes out when the gateway answers again.",
        "After trouble with the gateway, sending waits until %(time)s. The messages are queued and"
        " go out when the gateway answers again.",
        "count",
    ),
}


SCHEDULED = ngettext_lazy(
    "%(count)s of them is scheduled, and does not go out before its own time.",
    "%(count)s of them are scheduled, and do not go out before their own times.",
    "count",
)


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


CHANGED = ngettext_lazy(
    "%(count)s message was taken by the worker meanwhile, or its status has changed. Look at it"
    " before you go on.",
    "%(count)s messages were taken by the worker meanwhile, or their status has changed. Look at"
    " them before you go on.",
    "count",
)


WRONG_SETTING = _(
    "A setting is wrong, so nothing is sent. Run “manage.py check” to find it. The messages stay in"
    " the queue and go out when it is corrected."
)


DATABASE = _(
    "The database did not answer in time. The messages are in the queue, or already sent: look at"
    " their status, and do not write them again."
)


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
    try:
        catalogue.record(catalogue.SEND_NOW, SmsMessage.objects.for_write().filter(pk__in=pks), by)
        report = send_now(pks)
    except (ImproperlyConfigured, ImportError) as error:
        logger.error("send_now.configuration error=%s", type(error).__name__)
        yield messages.ERROR, WRONG_SETTING
    except Error as error:
        logger.error("send_now.database error=%s", type(error).__name__)
        yield messages.ERROR, DATABASE
    else:
        yield from (
            _halted(report, pks, waiting) if report.halted else _results(report, pks, waiting)
        )


def first_request(pending: MessageQuerySet) -> list[int]:
    """Return the primary keys for one request; a message that had trouble before goes alone."""
    in_turn = pending.order_by("priority", "due_at", "pk").values_list("pk", flat=True)
    untroubled = in_turn.filter(attempts=0, resends=0)
    return list(untroubled[: conf.BATCH_SIZE]) or list(in_turn[:1])


def _halted(report: RunReport, pks: list[int], waiting: int) -> Iterator[Line]:
    time = show_time(report.resumes_at) or "–"
    yield messages.WARNING, HALTED[report.halted] % {"count": waiting, "time": time}
    rows = SmsMessage.objects.for_write().filter(pk__in=pks, due_at__gt=db_now())
    if scheduled := rows.count():
        yield messages.INFO, SCHEDULED % {"count": scheduled}


def _results(report: RunReport, pks: list[int], waiting: int) -> Iterator[Line]:
    for status, (level, sentence) in RESULTS.items():
        if count := report.statuses[status]:
            yield level, sentence % {"count": count}
    pending = catalogue.SEND_NOW.eligible(SmsMessage.objects.for_write().filter(pk__in=pks)).count()
    left = max(
        0, pending - report.statuses[Status.PENDING]
    )  # messages with trouble are shown apart
    if queued := waiting - len(pks) + left:
        yield messages.INFO, LEFT_TO_WORKER % {"count": queued}
    if changed := len(pks) - report.claimed - left:
        yield messages.WARNING, CHANGED % {"count": changed}
