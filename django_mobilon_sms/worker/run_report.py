"""The report of a run: what it did, and what halted it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ..choices import Status
from ..conf import conf
from ..models import GatewayState
from .exit_codes import CANNOT_WORK, OK, UNKNOWN


class Halt(NamedTuple):
    """Why nothing may be claimed, and until when, where that is known."""

    reason: str  # "disabled", "paused", "blocked", "quiet" or "pace"
    until: datetime | None = None


def halt_of(state: GatewayState | None) -> Halt | None:
    """Return why the switch, the operator or the breaker lets nothing be claimed now.

    Without a state, only the switch is asked.
    """
    if not conf.ENABLED:
        return Halt("disabled")
    if state is None:
        return None
    if state.paused_at is not None:
        return Halt("paused")
    if state.blocked_until is None:
        return None
    probe_until = (state.probe and state.probe_until) or state.now
    # A probe ends at the latest with its lease.
    until = max(state.blocked_until, probe_until)
    return Halt("blocked", until) if until > state.now else None


@dataclasses.dataclass
class RunReport:
    """The counts of a run. ``statuses`` counts its messages by the status they reached."""

    halted: str = ""  # the reason of a ``Halt``
    resumes_at: datetime | None = None
    claimed: int = 0
    posts: int = 0
    statuses: Counter[str] = dataclasses.field(default_factory=Counter)
    checked: int = 0
    reported: Counter[str] = dataclasses.field(default_factory=Counter)
    exit_codes: list[int] = dataclasses.field(default_factory=list)
    failed: bool = False  # an outcome could not be recorded, or a leftover not be swept

    def count(self, statuses: Mapping[Status, int]) -> None:
        """Add messages, counted by the status they reached."""
        self.statuses.update({status.value: n for status, n in statuses.items() if n})

    def halt(self, halt: Halt) -> None:
        """Note why the run claims nothing more."""
        self.halted, self.resumes_at = halt

    @property
    def exit_code(self) -> int:
        """Return the exit code of the run: the highest that counts, but 1 goes before all."""
        codes = [OK, *self.exit_codes]
        if self.statuses[Status.UNKNOWN] or self.reported[Status.UNKNOWN]:
            codes.append(UNKNOWN)
        if self.failed or CANNOT_WORK in codes:
            return CANNOT_WORK
        return max(codes)

    def as_dict(self) -> dict[str, Any]:
        """Return the report in types that JSON has; times in ISO 8601."""
        fields = vars(self) | {"exit_code": self.exit_code}
        del fields["exit_codes"]
        until = self.resumes_at
        return fields | {"resumes_at": until.isoformat() if until else None}
