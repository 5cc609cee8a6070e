"""The report of a run: what it did, and what halted it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from ..choices import ErrorCode, Status, explain
from ..conf import conf
from ..models import GatewayState
from .exit_codes import CANNOT_WORK, OK, UNKNOWN


class Halt(NamedTuple):
    """Why nothing may be claimed, and until when, where that is known."""

    reason: str  # "disabled", "paused", "blocked", "quiet" or "pace"
    until: datetime | None = None
    error_code: str = ""  # of the request that tripped the breaker
    http_code: int | None = None


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
    if until <= state.now:
        return None
    return Halt("blocked", until, state.error_code, state.http_code)


@dataclasses.dataclass
class RunError:
    """An error of a run: how many messages it left unsettled, and the exit code it calls for."""

    error_code: str
    http_code: int | None
    exit_code: int
    messages: int = 0
    is_query: bool = False  # only a status query failed, which changed no message
    is_logged: bool = False

    @property
    def needs_a_person(self) -> bool:
        """Whether a person must act, because waiting does not end the error."""
        is_fault = self.exit_code in (CANNOT_WORK, UNKNOWN)
        return is_fault or self.error_code == ErrorCode.PAYMENT

    def __str__(self) -> str:
        """Return the sentence of the error code and the next step."""
        if self.is_query and not self.needs_a_person:
            return (
                _("Statuses could not be queried (%s). The worker tries again.") % self.error_code
            )
        return explain(self.error_code, self.http_code)


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
    errors: dict[str, RunError] = dataclasses.field(default_factory=dict)  # by error code

    def count(self, statuses: Mapping[Status, int]) -> None:
        """Add messages, counted by the status they reached."""
        self.statuses.update({status.value: n for status, n in statuses.items() if n})

    def halt(self, halt: Halt) -> None:
        """Note why the run claims nothing more."""
        self.halted, self.resumes_at = halt.reason, halt.until
        if halt.error_code:
            known = RunError(halt.error_code, halt.http_code, OK, is_logged=True)
            self.errors.setdefault(halt.error_code, known)

    def note(self, error: RunError) -> None:
        """Note an error, or add its messages to what is noted of the same error."""
        noted = self.errors.get(error.error_code)
        if error.exit_code != OK and (noted is None or noted.exit_code == OK):
            self.errors[error.error_code] = error
        elif noted is not None:
            noted.messages += error.messages

    def add(self, other: RunReport) -> None:
        """Add the report of a sweep that was made during the run."""
        self.statuses += other.statuses
        self.failed |= other.failed
        for error in other.errors.values():
            self.note(error)

    @property
    def unlogged(self) -> list[RunError]:
        """Return the errors that the log does not name yet."""
        return [error for error in self.errors.values() if not error.is_logged]

    @property
    def main_error(self) -> RunError | None:
        """Return the error to show first: one that needs a person goes before the others."""
        return max(self.errors.values(), key=attrgetter("needs_a_person"), default=None)

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
        main, until = self.main_error, self.resumes_at
        return fields | {
            "resumes_at": until.isoformat() if until else None,
            "error_code": main.error_code if main else "",
            "http_code": main.http_code if main else None,
            "errors": {code: one.messages for code, one in self.errors.items() if one.messages},
        }
