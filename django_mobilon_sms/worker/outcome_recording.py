"""Record the outcome of a request in its batch, its messages and the breaker."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any

from django.db import Error, router, transaction
from django.db.models import F

from ..choices import ErrorCode, Outcome, Status
from ..conf import conf
from ..gateway import uptime
from ..models import (
    RETRY_SECONDS,
    GatewayState,
    MessageQuerySet,
    SmsBatch,
    SmsMessage,
    db_now,
    retry_on_lock,
)
from . import proofs
from .claims import Claim
from .proofs import Proof, Verdict

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Result:
    """The proof of a batch. ``pks`` are the messages that its POST carried, by guid."""

    batch: SmsBatch
    proof: Proof
    pks: Mapping[str, int]
    began: float = 0.0  # by ``uptime()``, as of the claim
    is_probe: bool = False

    @classmethod
    def of(cls, claim: Claim, proof: Proof) -> Result:
        """Return the result of a claim."""
        pks = {str(message.guid): message.pk for message in claim.messages}
        return cls(claim.batch, proof, pks, claim.began, claim.is_probe)

    @cached_property
    def verdicts(self) -> dict[int, Verdict]:
        """Return what the reply proves about each message, by primary key."""
        return _verdicts(self.pks, self.proof.reply)

    @property
    def reasons(self) -> Counter[str]:
        """Return the messages that were not settled, counted by the error code that says why."""
        if self.proof.outcome != Outcome.ANSWERED:
            return Counter({self.proof.error_code: len(self.pks)})
        unknown = (one for one in self.verdicts.values() if one.status == Status.UNKNOWN)
        return Counter(verdict.error_code for verdict in unknown)

    @property
    def is_good(self) -> bool:
        """Whether the reply settled at least one message: the gateway works as it should."""
        return any(verdict.status != Status.UNKNOWN for verdict in self.verdicts.values())

    @property
    def is_trouble(self) -> bool:
        """Whether sending must stop."""
        no_trouble = (ErrorCode.LEASE_SHORT, ErrorCode.INVALID)  # the gateway was not asked
        return not self.is_good and self.proof.error_code not in no_trouble


def record_or_journal(results: Sequence[Result]) -> Sequence[Counter[Status] | None]:
    """Record these results together, or each alone if the database refuses them together.

    One alone is retried until its lease is over, after any error but a refusal of its rows. Returns
    for each how many messages reached which status; ``None`` where they could not be updated, which
    is left to a later sweep.
    """
    write, alone = partial(record_all, results), len(results) == 1
    left = max(1.0, results[0].began + conf.LEASE - uptime())
    seconds = left if alone else 0.0
    try:
        return retry_on_lock(write, using=_alias(), seconds=seconds, reply_is_held=True)
    except Error as error:
        if not alone:  # one that cannot be recorded must not stop the others
            return [counts for result in results for counts in record_or_journal([result])]
        _journal(results[0], error)
        return [None]


def _journal(result: Result, error: Error) -> None:
    """Write the outcome to the batch alone, so that the truth is not lost with the messages."""
    with suppress(Error):
        close(result.batch, result.proof, result.pks)
    with suppress(Exception):  # of a handler: other outcomes are not recorded yet
        logger.warning("batch.unrecorded batch=%s error=%s", result.batch.pk, type(error).__name__)


def record(batch: SmsBatch, proof: Proof, pks: Mapping[str, int]) -> Counter[Status]:
    """Write the outcome to the batch and its messages, in one transaction.

    Returns how many messages reached which status; nothing if the batch has an outcome already.
    """
    [counts] = record_all([Result(batch, proof, pks)])
    return counts


def record_all(results: Iterable[Result]) -> list[Counter[Status]]:
    """Record several results in one transaction."""
    with transaction.atomic(using=_alias()):
        return [_record(result) for result in results]


def _record(result: Result) -> Counter[Status]:
    batch, proof = result.batch, result.proof
    accepted = any(verdict.status == Status.ACCEPTED for verdict in result.verdicts.values())
    if not close(batch, proof, result.pks, applied=True, accepted=accepted):
        return Counter()
    batch.outcome, batch.error_code = proof.outcome, proof.error_code
    batch.message_count = len(result.pks)
    return apply(batch, result.verdicts)


def close(batch: SmsBatch, proof: Proof, guids: Collection[str], **written: bool) -> int:
    """Write the outcome to the batch alone; unless ``applied``, the next sweep does the rest."""
    return SmsBatch.objects.close(
        batch,
        proof.outcome,
        error_code=proof.error_code,
        http_code=proof.http_code,
        guids=guids,
        reply=proof.reply,
        **written,
    )


def apply(batch: SmsBatch, verdicts: Mapping[int, Verdict] | None = None) -> Counter[Status]:
    """Apply a batch's outcome to its messages, inside the transaction that marks it applied.

    ``verdicts`` are those of the reply, by primary key; without them the reply is read anew.
    """
    if verdicts is None:
        return _settle_late(batch, _messages(batch))
    if batch.outcome == Outcome.ANSWERED:
        return _apply_verdicts(batch, verdicts)
    return _settle_unanswered(batch, _messages(batch))


def _messages(batch: SmsBatch) -> MessageQuerySet:
    return SmsMessage.objects.for_write().filter(batch=batch)


def settle_rest(batch: SmsBatch) -> Counter[Status]:
    """Give the messages that an applied batch left behind what its outcome proves.

    None waits again unless the outcome says so and the journal says that it was in the request.
    """
    sending = _messages(batch).filter(status=Status.SENDING)
    with transaction.atomic(using=_alias()):
        counts: Counter[Status] = Counter()
        if batch.outcome in ("", Outcome.REFUSED, Outcome.NEVER_LEFT):
            carried = batch.guids if batch.outcome else []
            counts[Status.UNKNOWN] = sending.exclude(guid__in=carried).hold(ErrorCode.LOST)
        return counts + (_settle_late(batch, sending) if batch.outcome else Counter())


def _settle_late(batch: SmsBatch, messages: MessageQuerySet) -> Counter[Status]:
    """Settle by what the journal kept of the reply; statuses are queried from now on."""
    if batch.outcome != Outcome.ANSWERED:
        return _settle_unanswered(batch, messages)
    counts = _apply_verdicts(batch, _verdicts(_pks(messages), batch.reply))
    if counts[Status.ACCEPTED]:
        SmsBatch.objects.for_write().filter(pk=batch.pk).begin_checks()
    return counts


def _settle_unanswered(batch: SmsBatch, messages: MessageQuerySet) -> Counter[Status]:
    if batch.outcome in (Outcome.NO_PROOF, Outcome.LOST):
        sending = messages.filter(status=Status.SENDING)
        return Counter({Status.UNKNOWN: sending.hold(ErrorCode(batch.error_code))})
    return _put_back(batch, messages.undecided())


def _pks(messages: MessageQuerySet) -> dict[str, int]:
    rows = messages.select_for_update().order_by("pk").values_list("guid", "pk")
    return {str(guid): pk for guid, pk in rows}


def _verdicts(pks: Mapping[str, int], reply: Iterable[Sequence[Any]]) -> dict[int, Verdict]:
    by_guid = proofs.settle(pks, reply, conf.SEND_REPLIES)
    return {pks[guid]: verdict for guid, verdict in by_guid.items()}


def _apply_verdicts(batch: SmsBatch, verdicts: Mapping[int, Verdict]) -> Counter[Status]:
    counts: Counter[Status] = Counter()
    ids: dict[int, str] = {}
    codes: dict[int, int | None] = {}
    others: dict[Verdict, list[int]] = defaultdict(list)
    for pk, verdict in verdicts.items():
        if verdict.status == Status.ACCEPTED:
            ids[pk], codes[pk] = verdict.gateway_id, verdict.gateway_status
        else:
            others[verdict].append(pk)
    if ids:
        counts[Status.ACCEPTED] = SmsMessage.objects.accept(batch, ids, codes)
    for verdict, pks in others.items():
        rows, code = _messages(batch).filter(pk__in=pks), ErrorCode(verdict.error_code)
        raw = {"gateway_status": verdict.gateway_status}
        if verdict.status == Status.FAILED:
            counts.update(rows.undecided().end(Status.FAILED, code, **raw))
        else:
            counts[Status.UNKNOWN] += rows.filter(status=Status.SENDING).hold(code, **raw)
    return counts


def _put_back(batch: SmsBatch, messages: MessageQuerySet) -> Counter[Status]:
    """Let messages wait again, because none of the batch was accepted; or fail what was rejected.

    Only a message that was refused alone waits longer each time.
    """
    code = ErrorCode(batch.error_code)
    if code == ErrorCode.REJECTED:
        return Counter(messages.end(Status.FAILED, code))
    values: dict[str, Any] = {"status": Status.PENDING, "error_code": code}
    if batch.outcome == Outcome.REFUSED and code not in proofs.NO_ATTEMPT:
        if batch.message_count == 1:
            for attempts in messages.values_list("attempts", flat=True):
                values["due_at"] = db_now() + proofs.wait_after(attempts)
        values["attempts"] = F("attempts") + 1
    return Counter({Status.PENDING: messages.change(**values)})


def fail_invalid(claim: Claim, pks: Iterable[int]) -> Mapping[Status, int]:
    """Fail these messages of a claim, because they cannot be put on the wire."""
    rows = SmsMessage.objects.for_write().filter(
        pk__in=pks, batch=claim.batch, status=Status.SENDING
    )
    end = partial(rows.end, Status.FAILED, ErrorCode.INVALID)
    return retry_on_lock(end, using=rows.db, seconds=RETRY_SECONDS)


def update_breaker(result: Result) -> bool:
    """Trip the breaker after trouble, and clear it after a probe that went well.

    Return whether the database took it. Its error must not end a run that has other requests under
    way, because their replies would be lost.
    """
    update = partial(_update_breaker, result)
    try:
        retry_on_lock(update, using=_alias(), seconds=RETRY_SECONDS)
    except Error as error:
        with suppress(Exception):  # of a handler: other outcomes are not recorded yet
            logger.warning(
                "breaker.failed batch=%s error=%s", result.batch.pk, type(error).__name__
            )
        return False
    return True


def _update_breaker(result: Result) -> None:
    states = GatewayState.objects
    if result.is_trouble:
        tripped = states.trip(
            result.batch,
            wait=proofs.pause_after(result.proof, states.current().failures),
            error_code=next(iter(result.reasons), ""),
            http_code=result.proof.http_code,
        )
        with suppress(Exception):  # of a handler: other outcomes are not recorded yet
            logger.warning("breaker.trip batch=%s tripped=%d", result.batch.pk, tripped)
    elif result.is_probe:
        (states.clear if result.is_good else states.release_probe)(result.batch)


def _alias() -> str:
    return router.db_for_write(SmsMessage)
