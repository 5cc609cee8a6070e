"""How often one user may write and act. Rates of the project (DEFAULT_THROTTLE_RATES) win."""

from __future__ import annotations

from rest_framework.throttling import UserRateThrottle


class MessageThrottle(UserRateThrottle):
    """A rate a user, with a default that holds although the project names none."""

    scope: str
    default_rate: str

    def get_rate(self) -> str | None:
        """The project's rate for the scope, or the default."""
        rate: str | None = self.THROTTLE_RATES.get(self.scope, self.default_rate)
        return rate


class CreateThrottle(MessageThrottle):
    """Requests that write messages."""

    scope = "mobilon_sms_create"
    default_rate = "600/min"


class ActThrottle(MessageThrottle):
    """Requests that act on a message."""

    scope = "mobilon_sms_act"
    default_rate = "120/min"
