"""The signal that a project can connect to, and the call of ``MOBILON_SMS_WAKE_UP``."""

from __future__ import annotations

import logging

from django.db import connections, transaction
from django.dispatch import Signal
from django.utils.module_loading import import_string

from .conf import conf

#: A message has a new status. Sent by ``send_robust`` after the commit, at most once for a change
#: and never for ``pending`` to ``sending``. Arguments: ``message`` (as it was when it changed, with
#: its new status), ``old`` and ``new`` (values of ``Status``).
status_changed = Signal()


logger = logging.getLogger(__name__)


def wake_up_after_commit(using: str) -> None:
    """Call ``MOBILON_SMS_WAKE_UP`` once after the commit of the transaction, or now without one."""
    if conf.WAKE_UP is None:
        return
    if not any(hook is _wake_up for _, hook, *_ in connections[using].run_on_commit):
        transaction.on_commit(_wake_up, using=using)


def _wake_up() -> None:
    try:
        import_string(conf.WAKE_UP or "")()
    except Exception as error:
        # The messages are committed, and the next run of a worker sends them.
        logger.warning("wakeup.failed error=%s", type(error).__name__)
