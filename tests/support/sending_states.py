"""Every state of sending, made as it comes about: for the line of the admin and ``sms_status``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User

from django_mobilon_sms.choices import ErrorCode, WorkerKind
from django_mobilon_sms.models import GatewayState, Heartbeat, SmsBatch, db_now
from tests.support.messages import write


def seen(**ago: float) -> None:
    """Let a worker have been seen so long ago."""
    Heartbeat.objects.beat(WorkerKind.LOOP, "sms-1")
    Heartbeat.objects.update(beat_at=db_now() - timedelta(**ago))


def works(settings: Any) -> None:
    """A worker runs."""
    seen(seconds=40)
    write(3)


def idle(settings: Any) -> None:
    """No worker runs, and none is needed."""
    seen(minutes=6)


def nobody(settings: Any) -> None:
    """Messages wait, and the worker has gone."""
    seen(minutes=6)
    write(37)


def never(settings: Any) -> None:
    """Messages wait, and there has never been a worker."""
    write(3)


def paused(settings: Any) -> None:
    """A person paused; that the worker has gone too is less important."""
    nobody(settings)
    GatewayState.objects.pause(by=User.objects.get())


def failed(code: ErrorCode, http_code: int | None) -> None:
    """Trip the breaker, as after a request that brought this error."""
    state = GatewayState.objects.current()
    batch = SmsBatch.objects.create(
        worker="sms-1:4021", lease_until=db_now(), breaker_changes=state.breaker_changes
    )
    wait = timedelta(minutes=8)
    assert GatewayState.objects.trip(batch, wait=wait, error_code=code, http_code=http_code)


def blocked(settings: Any) -> None:
    """The gateway asks for payment."""
    works(settings)
    failed(ErrorCode.PAYMENT, 402)


def unreachable(settings: Any) -> None:
    """The gateway cannot be reached."""
    works(settings)
    failed(ErrorCode.CONNECTION, None)


def probing(settings: Any) -> None:
    """After trouble, a person let one message test the gateway."""
    blocked(settings)
    GatewayState.objects.try_now()


def quiet(settings: Any) -> None:
    """It is night for messages that are not urgent."""
    seen(minutes=6)
    write(3)
    settings.MOBILON_SMS_QUIET_HOURS = "00:00-23:59 UTC"


def disabled(settings: Any) -> None:
    """Sending is switched off."""
    nobody(settings)
    settings.MOBILON_SMS_ENABLED = False


STATES: dict[str, Callable[[Any], None]] = {
    state.__name__: state
    for state in (
        works,
        idle,
        nobody,
        never,
        paused,
        blocked,
        unreachable,
        probing,
        quiet,
        disabled,
    )
}
