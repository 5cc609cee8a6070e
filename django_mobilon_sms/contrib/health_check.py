"""A check for django-health-check: see ``docs/howto/metrics.rst``."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from django.db import Error, connections
from django.utils.translation import gettext as _
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable, ServiceWarning

from ..conf import database_trouble, show_duration
from ..operations import observe


@dataclasses.dataclass
class Sending(HealthCheck):
    """Check that fails if nobody sends or a message waits too long; warns of unknown messages."""

    longest_wait: timedelta = timedelta(minutes=15)

    def run(self) -> None:
        """Raise ``ServiceUnavailable`` or ``ServiceWarning`` with what is wrong."""
        try:
            seen = observe()
        except Error as error:
            raise ServiceUnavailable(database_trouble(error)) from None
        finally:
            connections.close_all()  # those of this thread, which the package ends
        if seen.state == "nobody":
            raise ServiceUnavailable(seen.sentence)
        if seen.oldest_waiting and seen.oldest_waiting > self.longest_wait:
            waited = show_duration(seen.oldest_waiting)
            raise ServiceUnavailable(_("A message has waited for %s.") % waited)
        if seen.unknown:
            raise ServiceWarning(_("Unknown messages wait for a decision: %d.") % seen.unknown)
