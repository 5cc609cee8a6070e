"""Write the outcome of a request to its batch and its messages."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from django.db import router, transaction
from django.db.models import F

from ..choices import ErrorCode, Outcome, Status
from ..conf import conf
from ..models import MessageQuerySet, SmsBatch, SmsMessage, db_now
from .proofs import RETRY_FIRST, RETRY_LAST, UNCOUNTED, Proof, Verdict, settle


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of a batch; ``pks`` are the messages that its POST carried, by guid."""

    batch: SmsBatch
    proof: Proof
    pks: Mapping[str, int]

    @cached_property
    def settled(self) -> dict[int, Verdict]:
        """What the reply proves about each of its messages, by key."""
        return _settled(self.pks, self.proof.reply)

    @property
    def is_good(self) -> bool:
        """Whether the reply settled at least one message: the gateway works as it should."""
        return any(one.status != Status.UNKNOWN for one in self.settled.values())


def record(batch: SmsBatch, proof: Proof, pks: Mapping[str, int]) -> Counter[Status]:
    """Write the outcome to the batch and its messages, in one transaction.

    Returns how many messages came to which status; nothing if the batch has an outcome already.
    """
    [counts] = record_all([Result(batch, proof, pks)])
    return counts


def record_all(results: Iterable[Result]) -> list[Counter[Status]]:
    """The same for several batches, all in one transaction."""
    with transaction.atomic(using=router.db_for_write(SmsBatch)):
        return [_record(result) for result in results]


def _record(result: Result) -> Counter[Status]:
    batch, proof = result.batch, result.proof
    if not close(batch, proof, result.pks, applied=True):
        return Counter()
    batch.outcome, batch.error_code = proof.outcome, proof.error_code
    batch.guids, batch.reply = list(result.pks), proof.reply
    return apply(batch, result.settled)


def close(batch: SmsBatch, proof: Proof, guids: Iterable[str], *, applied: bool = False) -> int:
    """Write the outcome to the batch alone; the next sweep takes it to the messages."""
    return SmsBatch.objects.close(
        batch,
        proof.outcome,
        error_code=proof.error_code,
        http_code=proof.http_code,
        guids=list(guids),
        reply=proof.reply,
        applied=applied,
    )


def apply(batch: SmsBatch, settled: Mapping[int, Verdict] | None = None) -> Counter[Status]:
    """Take a batch's outcome to its messages, inside the transaction that marks it applied.

    ``settled`` is what the reply proves about each, by key, where that is known already.
    """
    messages = SmsMessage.objects.for_write().filter(batch=batch)
    if batch.outcome == Outcome.ANSWERED:
        known = _settled(_pks(messages), batch.reply) if settled is None else settled
        return _apply_reply(batch, messages, known)
    if batch.outcome in (Outcome.NO_PROOF, Outcome.LOST):
        sending = messages.filter(status=Status.SENDING)
        return Counter({Status.UNKNOWN: sending.hold(ErrorCode(batch.error_code))})
    return _put_back(batch, messages.undecided())


def _pks(messages: MessageQuerySet) -> dict[str, int]:
    rows = messages.select_for_update().order_by("pk").values_list("guid", "pk")
    return {str(guid): pk for guid, pk in rows}


def _settled(pks: Mapping[str, int], reply: Iterable[Sequence[Any]]) -> dict[int, Verdict]:
    return {pks[guid]: one for guid, one in settle(pks, reply, conf.SEND_REPLIES).items()}


def _apply_reply(
    batch: SmsBatch, messages: MessageQuerySet, settled: Mapping[int, Verdict]
) -> Counter[Status]:
    counts: Counter[Status] = Counter()
    accepted: dict[int, Verdict] = {}
    groups = defaultdict(list)
    for pk, one in settled.items():
        if one.status == Status.ACCEPTED:
            accepted[pk] = one
        else:
            groups[one].append(pk)
    if accepted:
        counts[Status.ACCEPTED] = SmsMessage.objects.accept(
            batch,
            {pk: one.gateway_id for pk, one in accepted.items()},
            {pk: one.gateway_status for pk, one in accepted.items()},
        )
    for one, found in groups.items():
        rows, code = messages.filter(pk__in=found), ErrorCode(one.error_code)
        if one.status == Status.FAILED:
            ended = rows.undecided().end(Status.FAILED, code, gateway_status=one.gateway_status)
            counts.update(ended)
        else:
            sending = rows.filter(status=Status.SENDING)
            counts[Status.UNKNOWN] += sending.hold(code, gateway_status=one.gateway_status)
    return counts


def _put_back(batch: SmsBatch, messages: MessageQuerySet) -> Counter[Status]:
    """Nothing of the batch was accepted: its messages wait again, or fail by their own answer."""
    code = ErrorCode(batch.error_code)
    if code == ErrorCode.REJECTED:
        return Counter(messages.end(Status.FAILED, code))
    values: dict[str, Any] = {"status": Status.PENDING, "error_code": code}
    if batch.outcome == Outcome.REFUSED and code not in UNCOUNTED:
        if len(batch.guids) == 1:
            for attempts in messages.values_list("attempts", flat=True):
                values["due_at"] = db_now() + min(RETRY_FIRST * 2 ** min(attempts, 6), RETRY_LAST)
        values["attempts"] = F("attempts") + 1
    return Counter({Status.PENDING: messages.change(**values)})
