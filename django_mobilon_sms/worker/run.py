"""Delivery: sweep, claim, POST, record.

No transaction is open across a POST. Before one leaves, its batch is committed; what comes of it
is written in one transaction; what can not be proved is held as ``unknown``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.db import DatabaseError, router

from ..choices import ErrorCode, Outcome, Priority, Status
from ..conf import conf, require_fit, require_valid
from ..exceptions import NeverLeft
from ..gateway import Backend, OutgoingMessage, SendResult
from ..limits import pace, quiet_until
from ..models import RETRY_SECONDS, GatewayState, SmsBatch, SmsMessage, retry_on_lock
from . import candidates, outcome_recording, proofs
from .candidates import Candidate
from .claims import Claim, take
from .configured_backend import get_backend
from .exit_codes import TROUBLE, exit_code
from .outcome_recording import Result
from .proofs import Proof
from .request_threads import GRACE, RequestThreads
from .run_report import RunReport
from .sweep import leftovers, sweep_leftovers

logger = logging.getLogger(__name__)


def deliver(
    *,
    limit: int | None = None,
    batch_size: int | None = None,
    concurrency: int | None = None,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[int], object] = lambda count: None,
) -> RunReport:
    """Sweep, then send what is due until nothing is left, ``limit`` is reached, or trouble.

    ``stopping`` is asked before each claim, ``progress`` told how many messages were recorded.
    Raises ``ImproperlyConfigured`` before anything is claimed.
    """
    require_ready()
    report = sweep_leftovers()
    run = _Run(report, concurrency or conf.CONCURRENCY, batch_size or conf.BATCH_SIZE, progress)
    run.deliver(limit=limit, stopping=stopping)
    return report


def send_now(pks: Sequence[int]) -> RunReport:
    """Send these pending messages, whatever ``due_at``: at most one POST, the rest waits.

    Raises ``RuntimeError`` inside a transaction and ``ImproperlyConfigured``.
    """
    require_ready()
    report = RunReport()
    run = _Run(report, 1, conf.BATCH_SIZE, lambda count: None)
    run.deliver_one(pks)
    return report


def require_ready() -> None:
    """Raise ``ImproperlyConfigured`` while a setting or the database is not fit for sending."""
    require_valid()
    require_fit(router.db_for_write(SmsMessage))


class _Run:
    """One worker's run. Its thread owns the database; other threads only do HTTP."""

    def __init__(
        self,
        report: RunReport,
        concurrency: int,
        batch_size: int,
        progress: Callable[[int], object],
    ) -> None:
        self.report = report
        self.concurrency = concurrency
        self.batch_size = batch_size
        self.progress = progress
        self.alias = router.db_for_write(SmsMessage)
        self.gateway: Backend = get_backend()
        self.calls: RequestThreads[SmsBatch, list[SendResult]] = RequestThreads(
            conf.TIMEOUT + GRACE
        )
        self.under_way: dict[SmsBatch, Claim] = {}
        self.trusted = False  # one POST at a time until the first good reply
        self.stopped = False

    def deliver(self, *, limit: int | None, stopping: Callable[[], bool]) -> None:
        """Keep as many POSTs under way as allowed until there is nothing to claim.

        What is over together is recorded together, and as many batches claimed as were recorded:
        fewer commits where the database is the slower side, and where the gateway is, requests
        that do not all wait for it at the same time.
        """
        try:
            self._claim_all(1, limit, stopping)
            while self.calls:
                done = self._over()
                try:
                    self._claim_early(done, limit, stopping)
                finally:
                    self._record(done)
                self._claim_all(len(done), limit, stopping)
        finally:
            while self.calls:  # what is under way is recorded, whatever ended the claims
                self._record(self._over())

    def _claim_early(
        self, done: Sequence[Done], limit: int | None, stopping: Callable[[], bool]
    ) -> None:
        """Where all went well the next requests need not wait until the last are recorded."""
        if not all(result.is_good and not claim.is_probe for claim, result in done) or stopping():
            return
        self.trusted = True
        # A late reply saves a resend, which must not be claimed before that is recorded.
        saved = {pk for _, result in done for pk in result.pks.values()}
        with suppress(DatabaseError):  # once they are recorded it is tried again, and told
            self._begin(len(done), limit, saved)

    def _claim_all(self, at_once: int, limit: int | None, stopping: Callable[[], bool]) -> None:
        while self._free() and not stopping():
            if not self._begin(at_once, limit):
                self.stopped = True

    def _begin(self, at_once: int, limit: int | None, but: Collection[int] = ()) -> int:
        """Claim and POST the next batches; how many."""
        free = self._free()
        left = free * self.batch_size if limit is None else limit - self.report.claimed
        claims = self._claim(min(free, at_once), left, but=but) if free and left > 0 else []
        for claim in claims:
            self._post(claim)
        return len(claims)

    def deliver_one(self, pks: Sequence[int]) -> None:
        """One POST with what can be claimed of these messages."""
        for claim in self._claim(1, self.batch_size, pks):
            self._post(claim)
        if self.calls:
            self._record(self._over())

    def _free(self) -> int:
        """How many more POSTs may begin now."""
        return 0 if self.stopped else (self.concurrency if self.trusted else 1) - len(self.calls)

    def _claim(
        self,
        at_once: int,
        left: int,
        pks: Sequence[int] | None = None,
        but: Collection[int] = (),
    ) -> list[Claim]:
        """The next batches, or none: nothing is due, or the report says what halts."""
        size = self.batch_size
        while True:
            state = GatewayState.objects.current()
            if self.report.halts(state):
                if self.report.halted == "blocked" and candidates.due(1, 1):
                    self.report.exit_codes.append(TROUBLE)
                return []
            if is_probe := state.blocked_until is not None:
                at_once = size = 1
            found = self._look(state.now, min(left, at_once * size), size, pks)[:at_once]
            found = [batch for batch in found if batch[0].pk not in but]
            if not found:
                return []
            paced_at = state.now if pace.is_set() else None
            write = partial(take, found, is_probe=is_probe, stops=state.stops, paced_at=paced_at)
            claims = retry_on_lock(write, using=self.alias, seconds=RETRY_SECONDS)
            if claims:
                self.report.claimed += sum(len(claim.messages) for claim in claims)
                return claims
            # Other workers were faster with all of them, with the pace or the probe: look again.

    def _look(
        self, now: datetime, most: int, size: int, pks: Sequence[int] | None
    ) -> list[list[Candidate]]:
        """What may be claimed now; if that is nothing, the report says what holds it up."""
        quiet = quiet_until(now)
        only = [Priority.HIGH] if quiet else candidates.ALL
        room = partial(pace.room, now=now) if pace.is_set() else None
        if pks is None:
            found = candidates.due(most, size, only=only, room=room)
        else:
            found = candidates.pending(pks, size, only=only, room=room)
        if not found and quiet:
            self.report.halt("quiet", quiet)
        elif not found and room and (full_until := pace.full_until(candidates.senders(pks), now)):
            self.report.halt("pace", full_until)
        return found

    def _post(self, claim: Claim) -> None:
        outgoing = self._outgoing(claim)
        latest = claim.began + conf.LEASE - conf.TIMEOUT
        if outgoing:
            self.report.posts += 1
            self.under_way[claim.batch] = claim
            self.calls.start(claim.batch, partial(_send, self.gateway, outgoing, latest))
        else:
            self._record([_result(claim, Proof(Outcome.NEVER_LEFT, ErrorCode.INVALID))])

    def _outgoing(self, claim: Claim) -> list[OutgoingMessage]:
        """The messages for the wire; those that can not be put on it fail."""
        outgoing, invalid = [], []
        for message in claim.messages:
            try:
                outgoing.append(message.for_the_wire())
            except ValueError:
                invalid.append(message.pk)
        if invalid:
            rows = SmsMessage.objects.using(self.alias).filter(
                pk__in=invalid, batch=claim.batch, status=Status.SENDING
            )
            end = partial(rows.end, Status.FAILED, ErrorCode.INVALID)
            self.report.count(retry_on_lock(end, using=self.alias, seconds=RETRY_SECONDS))
        return outgoing

    def _over(self) -> list[Done]:
        """The POSTs that are over by now, and if there are none the next one."""
        return [_done(self.under_way.pop(batch), told) for batch, told in self.calls.wait()]

    def _record(self, done: Sequence[Done]) -> None:
        left = max(1.0, min(claim.began for claim, _ in done) + conf.LEASE - time.monotonic())
        patience = left if len(done) == 1 else 0.0
        write = partial(outcome_recording.record_all, [result for _, result in done])
        try:
            counted = retry_on_lock(write, using=self.alias, seconds=patience)
        except DatabaseError as error:
            if len(done) > 1:  # one that can not be recorded must not stop the others
                for each in done:
                    self._record([each])
            else:
                self._journal(done[0].result, error)
            return
        for (claim, result), counts in zip(done, counted):
            self.report.count(counts)
            self.report.exit_codes.append(exit_code(result.proof))
            judge = partial(self._judge, claim, result)
            retry_on_lock(judge, using=self.alias, seconds=RETRY_SECONDS)
            self.progress(len(claim.messages))

    def _journal(self, result: Result, error: DatabaseError) -> None:
        """The truth must not be lost with the messages' rows: a later sweep applies it."""
        logger.error("batch.unrecorded batch=%s error=%s", result.batch.pk, type(error).__name__)
        self.stopped = self.report.failed = True
        with suppress(DatabaseError):
            outcome_recording.close(result.batch, result.proof, result.pks)

    def _judge(self, claim: Claim, result: Result) -> None:
        """Go on, or stop and trip the breaker."""
        states, proof = GatewayState.objects, result.proof
        if result.is_good:
            self.trusted = True
            if claim.is_probe:
                states.clear(claim.batch)
        elif proof.error_code not in (ErrorCode.LEASE_SHORT, ErrorCode.INVALID):
            self.stopped = True
            failures = states.current().failures
            tripped = states.trip(claim.batch, wait=proofs.pause_after(proof, failures))
            logger.warning("breaker.trip batch=%s tripped=%d", claim.batch.pk, tripped)


class Done(NamedTuple):
    """A claim whose POST is over, and what came of it."""

    claim: Claim
    result: Result


def _done(claim: Claim, told: list[SendResult] | BaseException) -> Done:
    if isinstance(told, BaseException):
        name = type(told).__name__
        logger.warning("post.failed batch=%s error=%s", claim.batch.pk, name)
        proof = proofs.of_error(told)
    else:
        proof = proofs.of_reply(told)
    return _result(claim, proof)


def _result(claim: Claim, proof: Proof) -> Done:
    pks = {str(message.guid): message.pk for message in claim.messages}
    return Done(claim, Result(claim.batch, proof, pks))


def _send(gateway: Backend, messages: Sequence[OutgoingMessage], latest: float) -> list[SendResult]:
    if time.monotonic() > latest:  # a paused process could else send what was given up meanwhile
        raise NeverLeft(ErrorCode.LEASE_SHORT)
    return gateway.send(messages)


def anything_to_do() -> bool:
    """Whether a run would find anything to sweep, to send or to ask for."""
    messages = SmsMessage.objects.for_write()
    # A priority at a time, as the index has them: it then reads no message of the future.
    due = messages.due().order_by("due_at")
    each = [due.filter(priority=priority) for priority in Priority]
    asked_for = messages.checkable().order_by("next_check_at")
    return GatewayState.objects.any_exist([*each, asked_for, *leftovers()])
