"""Rates at which one user may write and act, unless DEFAULT_THROTTLE_RATES sets others."""

from __future__ import annotations

from typing import cast

from rest_framework.settings import api_settings
from rest_framework.throttling import UserRateThrottle


class MessageThrottle(UserRateThrottle):
    """A rate for each user, with a default for projects that set none."""

    scope: str
    default_rate: str

    def get_rate(self) -> str | None:
        """Return the project's rate for the scope (``None``: no limit), or the default."""
        rates = cast("dict[str, str | None]", api_settings.DEFAULT_THROTTLE_RATES)
        return rates.get(self.scope, self.default_rate)


class CreateThrottle(MessageThrottle):
    """Requests that write messages."""

    scope = "mobilon_sms_create"
    default_rate = "600/min"


class ActThrottle(MessageThrottle):
    """Requests that act on a message."""

    scope = "mobilon_sms_act"
    default_rate = "120/min"
