"""What people and callers do during a storm."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from django_mobilon_sms.choices import Resolution, Status
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.outbox import send_many

from . import clocks
from .apps import RESEND_MARGIN
from .settings import MOBILON_SMS_LEASE


class PeoplesActs:
    """The acts of people in a storm, each a method."""

    counts: Counter[str]
    random: random.Random
    created: int
    pressed: float
    persisting: Callable[..., Any]
    trap: Callable[[str, str], bool]
    tend_for: Callable[[float], None]
    wait: Callable[[Callable[[], object]], None]
    is_any_stopped: Callable[[], bool]

    def write(self, count: int) -> None:
        """Write ``count`` messages into the outbox."""
        rows = [{"number": "+79135292926", "text": f"Заказ {n}"} for n in range(count)]
        if rows:
            self.created += self.persisting(lambda: send_many(rows))

    def some(self, status: Status) -> list[int]:
        """Return the primary keys of a fifth of the messages in this status."""
        found = SmsMessage.objects.filter(status=status, resolution="")
        pks = self.persisting(lambda: list(found.values_list("pk", flat=True)))
        return self.random.sample(pks, len(pks) // 5)

    def resend(self) -> None:
        """Resend unknown messages, as a person does."""
        rows = SmsMessage.objects.filter(pk__in=self.some(Status.UNKNOWN))
        self.counts["resent"] += self.persisting(lambda: rows.resend(by=None))

    def resolve(self) -> None:
        """Resolve unknown messages, as a person does."""
        rows = SmsMessage.objects.filter(pk__in=self.some(Status.UNKNOWN))
        decision = self.random.choice(list(Resolution))
        self.persisting(lambda: rows.resolve(decision, by=None))

    def cancel(self) -> None:
        """Cancel pending messages, as a person does."""
        rows = SmsMessage.objects.filter(pk__in=self.some(Status.PENDING))
        self.persisting(rows.cancel)

    def ask(self) -> None:
        """Let the statuses of accepted messages be asked for at once, as a person does."""
        accepted = SmsMessage.objects.filter(status=Status.ACCEPTED)
        self.wait(lambda: self.persisting(accepted.check_soon))
        self.tend_for(1.0)

    def try_now(self) -> None:
        """Unblock sending, as an impatient person does, but leave a probe its time."""
        states = GatewayState.objects.filter(blocked_until__gt=db_now())
        if time.monotonic() > self.pressed + 2.0:
            states, self.pressed = GatewayState.objects.all(), time.monotonic()
        self.persisting(states.try_now)

    def pause(self) -> None:
        """Pause sending and resume a little later, as a person does."""
        self.halted(self.random.uniform(0.1, 0.5), self.pause_and_look())

    def pause_and_look(self) -> set[Any]:
        """Pause sending, and return the claims that are committed when this has returned."""
        self.persisting(lambda: GatewayState.objects.pause(by=None))
        return self.claims()

    def claims(self) -> set[Any]:
        """Return the primary keys of all claims."""
        return self.persisting(lambda: set(SmsBatch.objects.values_list("pk", flat=True)))

    def halted(self, seconds: float, before: set[Any]) -> None:
        """Count the claims that commit after ``pause()`` has returned, and resume."""
        time.sleep(seconds)
        self.counts["paused_claims"] += len(self.claims() - before)
        self.persisting(GatewayState.objects.resume)

    def suspend(self, *jump: str) -> None:
        """Stop a worker just before it writes, and resend its messages before it goes on.

        Its lease and the margin pass meanwhile, or the clock of the database jumps as far.
        """
        traps = (self.trap("STOP", "writing") for _ in range(5))  # a busy machine starts slowly
        self.counts["faults"] += any(traps)
        if jump:
            clocks.jump(int(*jump))
        self.tend_for(1.0 if jump else MOBILON_SMS_LEASE + RESEND_MARGIN + 1.0)
        self.counts["resent"] += self.persisting(lambda: SmsMessage.objects.all().resend(by=None))
        self.wait(lambda: not self.is_any_stopped())
        if jump:
            clocks.jump(0)
