"""What a run of the worker did."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..choices import Status
from ..conf import conf
from ..models import GatewayState
from .exit_codes import CANNOT_WORK, OK, UNKNOWN


@dataclasses.dataclass
class RunReport:
    """What a run did. ``statuses`` counts where its messages came to."""

    halted: str = ""  # "disabled", "paused", "blocked", "quiet" or "pace"
    resumes_at: datetime | None = None
    claimed: int = 0
    posts: int = 0
    statuses: Counter[str] = dataclasses.field(default_factory=Counter)
    checked: int = 0
    reported: Counter[str] = dataclasses.field(default_factory=Counter)
    exit_codes: list[int] = dataclasses.field(default_factory=list)
    failed: bool = False  # something could not be written down

    def count(self, statuses: Mapping[Status, int]) -> None:
        """Add messages by the status they came to."""
        self.statuses.update({status.value: n for status, n in statuses.items() if n})

    def halt(self, why: str, until: datetime | None = None) -> None:
        """Nothing more is claimed, for this reason."""
        self.halted, self.resumes_at = why, until

    def halts(self, state: GatewayState) -> bool:
        """Whether nothing may be claimed now; says why."""
        probing = state.probe is not None and (state.probe_until or state.now) > state.now
        if not conf.ENABLED:
            self.halt("disabled")
        elif state.paused_at is not None:
            self.halt("paused")
        elif state.blocked_until is not None and (state.blocked_until > state.now or probing):
            self.halt("blocked", state.blocked_until)
        return self.halted != ""

    @property
    def exit_code(self) -> int:
        """0 all well, 1 can not work, 3 gateway trouble, 4 rows became unknown."""
        codes = [OK, *self.exit_codes]
        if self.statuses[Status.UNKNOWN] or self.reported[Status.UNKNOWN]:
            codes.append(UNKNOWN)
        if self.failed or CANNOT_WORK in codes:
            return CANNOT_WORK
        return max(codes)

    def as_dict(self) -> dict[str, Any]:
        """All of it in types that JSON has; times in ISO 8601."""
        fields = vars(self) | {"exit_code": self.exit_code}
        del fields["exit_codes"]
        until = self.resumes_at
        return fields | {"resumes_at": until.isoformat() if until else None}
