"""Signals for the project around the app."""

from __future__ import annotations

import logging

from django.db import connections, transaction
from django.dispatch import Signal
from django.utils.module_loading import import_string

from .conf import conf

#: A message got another status. Sent by ``send_robust`` after the commit, at most once for a
#: change, never for ``pending`` to ``sending``. Arguments: ``message`` (as it was read when it
#: changed, with its new status), ``old`` and ``new`` (values of ``Status``).
status_changed = Signal()


logger = logging.getLogger(__name__)


def wake_up_after_commit(using: str) -> None:
    """Call ``MOBILON_SMS_WAKE_UP`` when this transaction is committed, once, however much it wrote.

    Outside a transaction it is called now.
    """
    if conf.WAKE_UP is None:
        return
    if not any(hook is _wake_up for _, hook, *_ in connections[using].run_on_commit):
        transaction.on_commit(_wake_up, using=using)


def _wake_up() -> None:
    try:
        import_string(conf.WAKE_UP or "")()
    except Exception as error:
        # What was written is committed, and a worker comes by in its own time.
        logger.warning("wakeup.failed error=%s", type(error).__name__)
