"""Wake the workers when messages were written: by PostgreSQL's NOTIFY and ``MOBILON_SMS_WAKE_UP``.

The messages are committed by then, and every worker also polls. So nothing is lost if a
notification is.
"""

from __future__ import annotations

import logging
import time
from functools import partial

from django.db import Error, connections, transaction
from django.utils.module_loading import import_string

from ..conf import conf

#: The channel on which workers listen.
CHANNEL = "mobilon_sms"

#: A process notifies at most once in this time, in seconds, because each NOTIFY is a commit of its
#: own. A worker polls again that long after each notification.
DEBOUNCE = 0.1

logger = logging.getLogger(__name__)

#: When this process notified last, by ``time.monotonic()``, for each database.
_notified: dict[str, float] = {}


def wake_up_after_commit(using: str) -> None:
    """Wake the workers once after the commit of the transaction, or now without one."""
    if conf.WAKE_UP is None and connections[using].vendor != "postgresql":
        return
    hooks = [hook for _, hook, *_ in connections[using].run_on_commit]
    if not any(isinstance(hook, partial) and hook.func is _wake_up for hook in hooks):
        transaction.on_commit(partial(_wake_up, using), using=using)


def _wake_up(using: str) -> None:
    try:
        _notify(using)
        if conf.WAKE_UP is not None:
            import_string(conf.WAKE_UP)()
    except Exception as error:
        # The messages are committed, and the next run of a worker sends them.
        logger.warning("wakeup.failed error=%s", type(error).__name__)


def _notify(using: str) -> None:
    """Notify the workers that listen, unless this process did so just now."""
    now = time.monotonic()
    if (
        connections[using].vendor != "postgresql"
        or now - _notified.get(using, -DEBOUNCE) < DEBOUNCE
    ):
        return
    _notified[using] = now
    try:
        with connections[using].cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
    except Error as error:
        logger.warning("notify.failed error=%s", type(error).__name__)
