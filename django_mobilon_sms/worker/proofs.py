"""What a reply or an error proves about each message of a request."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from ..choices import ErrorCode, Outcome, Status
from ..exceptions import GatewayError, NeverLeft, Refused
from ..gateway import SendResult
from ..models import LONGEST_WAIT

#: Refusals that say nothing about a message, so they count as no attempt.
NO_ATTEMPT = (ErrorCode.CREDENTIALS, ErrorCode.PAYMENT, ErrorCode.RATE_LIMITED)


@dataclasses.dataclass(frozen=True)
class Proof:
    """What one POST proved: all that the journal keeps of it."""

    outcome: Outcome
    error_code: str = ""
    http_code: int | None = None
    retry_after: float | None = None
    reply: list[tuple[str, int | None, str | None]] = dataclasses.field(default_factory=list)


class Verdict(NamedTuple):
    """What the reply proves about one message."""

    status: Status
    error_code: str = ""
    gateway_status: int | None = None
    gateway_id: str = ""


def of_reply(results: Sequence[SendResult]) -> Proof:
    """Return the proof of a POST that the gateway answered with an array."""
    reply = [(str(result.guid), result.status, result.id) for result in results]
    return Proof(Outcome.ANSWERED, reply=reply)


def of_error(error: BaseException) -> Proof:
    """Return the proof of a POST that ended with an error; an unforeseen one proves nothing."""
    if not isinstance(error, GatewayError):
        return Proof(Outcome.NO_PROOF, ErrorCode.UNFORESEEN)
    # The request of a lost batch may still be written: its backend could not be interrupted.
    outcome = Outcome.LOST if error.code == ErrorCode.LOST else Outcome.NO_PROOF
    if isinstance(error, NeverLeft):
        outcome = Outcome.NEVER_LEFT
    elif isinstance(error, Refused):
        outcome = Outcome.REFUSED
    return Proof(outcome, ErrorCode(error.code), error.http_code, error.retry_after)


def pause_after(proof: Proof, failures: int) -> timedelta:
    """Return how long the breaker blocks sending, after ``failures`` earlier ones in a row."""
    if proof.outcome in (Outcome.REFUSED, Outcome.NEVER_LEFT):
        seconds = 60.0 if proof.retry_after is None else max(proof.retry_after, 1.0)
        return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))
    return timedelta(minutes=min(2 ** min(failures, 4), 15))


def wait_after(attempts: int) -> timedelta:
    """Return how long a message that was refused alone waits: twice as long each time."""
    return min(timedelta(minutes=2 ** min(attempts, 6)), timedelta(hours=1))


def settle(
    guids: Collection[str],
    reply: Iterable[Sequence[Any]],
    meanings: Mapping[int, str],
) -> dict[str, Verdict]:
    """Return what a reply ``[(guid, status, id), ...]`` proves about each guid.

    ``meanings`` maps the gateway's codes: an unmapped code with an id is accepted.
    """
    answers: dict[str, list[tuple[int | None, str | None]]] = defaultdict(list)
    owners: dict[str, str] = {}
    shared = set()
    for guid, status, id_ in dict.fromkeys(map(tuple, reply)):  # the same object twice is one
        answers[guid].append((status, id_))
        if id_ and owners.setdefault(id_, guid) != guid:
            shared.add(id_)
    verdicts = {}
    for guid in guids:
        own = answers.get(guid)
        if not own:
            verdicts[guid] = Verdict(Status.UNKNOWN, ErrorCode.NO_ANSWER)
        elif len(own) > 1 or own[0][1] in shared:
            verdicts[guid] = Verdict(Status.UNKNOWN, ErrorCode.CONTRADICTION)
        else:
            verdicts[guid] = _settle_one(*own[0], meanings)
    return verdicts


def _settle_one(status: int | None, id_: str | None, meanings: Mapping[int, str]) -> Verdict:
    if status is None or id_ is None:
        return Verdict(Status.UNKNOWN, ErrorCode.WRONG_TYPES)
    if meanings.get(status) == "failed":
        return Verdict(Status.FAILED, ErrorCode.REJECTED, status)
    if not id_:
        return Verdict(Status.UNKNOWN, ErrorCode.NO_ID, status)
    return Verdict(Status.ACCEPTED, "", status, id_)
