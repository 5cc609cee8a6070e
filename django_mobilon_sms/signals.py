"""Signals for the project around the app."""

from django.dispatch import Signal

#: A message got another status. Sent by ``send_robust`` after the commit, at most once for a
#: change, never for ``pending`` to ``sending``. Arguments: ``message`` (as it was read when it
#: changed, with its new status), ``old`` and ``new`` (values of ``Status``).
status_changed = Signal()
