"""Rates at which one user may write and act, unless DEFAULT_THROTTLE_RATES sets others."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from typing import Any, cast

from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle, UserRateThrottle

logger = logging.getLogger(__name__)


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


class OncePerMinute:
    """Something that this process does at most once a minute."""

    def __init__(self) -> None:
        self.next = -math.inf

    def take(self) -> bool:
        """Return whether it may be done now; if so, not again for a minute."""
        now = time.monotonic()
        if now < self.next:
            return False
        self.next = now + 60
        return True


#: The log line about skipped throttles.
skipped = OncePerMinute()


def allows(throttle: BaseThrottle, request: Request, view: Any) -> bool:
    """Return whether the throttle allows the request. One whose cache fails allows any."""
    try:
        return throttle.allow_request(request, view)
    except APIException:
        raise
    except Exception as error:  # every cache has errors of its own
        if skipped.take():
            name, request_id = type(error).__name__, view.request_id
            logger.warning("rest.throttles_skipped error=%s request_id=%s", name, request_id)
        return True


def rate_limits(throttles: Iterable[BaseThrottle]) -> dict[str, str]:
    """Return ``RateLimit-Policy`` and ``RateLimit``, for the throttles that counted the request.

    The headers follow draft-ietf-httpapi-ratelimit-headers-10.
    """
    counted: list[Any] = [
        each
        for each in throttles
        if isinstance(each, SimpleRateThrottle) and hasattr(each, "history")
    ]
    if not counted:
        return {}
    policies = [f'"{each.scope}";q={each.num_requests};w={each.duration}' for each in counted]
    return {
        "RateLimit-Policy": ", ".join(policies),
        "RateLimit": ", ".join(map(_left, counted)),
    }


def _left(throttle: Any) -> str:
    """Return the item of ``RateLimit``: the requests left, the seconds until one more is."""
    oldest = throttle.history[-1] if throttle.history else throttle.now
    left = max(0, throttle.num_requests - len(throttle.history))
    seconds = math.ceil(throttle.duration - (throttle.now - oldest))
    return f'"{throttle.scope}";r={left};t={seconds}'
