"""Delivery: sweep, claim, POST, record.

No transaction is open across a POST. Before one leaves, its batch is committed; what comes of it
is written in one transaction; what can not be proved is held as ``unknown``.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from django.db import DatabaseError, router, transaction

from . import candidates, proofs
from .backends import get_backend
from .candidates import Candidate
from .choices import ErrorCode, Outcome, Status
from .clock import db_now
from .conf import conf
from .databases import require_fit
from .exceptions import NeverLeft
from .gateway import Backend, OutgoingMessage
from .models import GatewayState, SmsBatch, SmsMessage
from .patience import DATABASE_PATIENCE, persist
from .phone_numbers import wire_number
from .proofs import Proof
from .replies import SendResult
from .reports import TROUBLE, RunReport, exit_code
from .setting_rules import is_source, require_valid
from .sweeping import sweep
from .threads import GRACE, Calls

logger = logging.getLogger(__name__)


class Claim(NamedTuple):
    """A batch that is ours, with its messages, and when (monotonic) its claim began."""

    batch: SmsBatch
    messages: list[Candidate]
    began: float
    is_probe: bool


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
    report = sweep()
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
        self.calls: Calls[SmsBatch, list[SendResult]] = Calls(conf.TIMEOUT + GRACE)
        self.under_way: dict[SmsBatch, Claim] = {}
        self.trusted = False  # one POST at a time until the first good reply
        self.stopped = False

    def deliver(self, *, limit: int | None, stopping: Callable[[], bool]) -> None:
        """Keep as many POSTs under way as allowed until there is nothing to claim."""
        try:
            self._claim_all(limit, stopping)
            while self.calls:
                self._record_next()
                self._claim_all(limit, stopping)
        finally:
            while self.calls:  # what is under way is recorded, whatever ended the claims
                self._record_next()

    def _claim_all(self, limit: int | None, stopping: Callable[[], bool]) -> None:
        while self._may_claim() and not stopping():
            left = self.batch_size if limit is None else limit - self.report.claimed
            claim = self._claim(min(left, self.batch_size)) if left > 0 else None
            if claim is None:
                self.stopped = True
            else:
                self._post(claim)

    def deliver_one(self, pks: Sequence[int]) -> None:
        """One POST with what can be claimed of these messages."""
        if claim := self._claim(self.batch_size, pks):
            self._post(claim)
            if self.calls:
                self._record_next()

    def _may_claim(self) -> bool:
        return not self.stopped and len(self.calls) < (self.concurrency if self.trusted else 1)

    def _claim(self, size: int, pks: Sequence[int] | None = None) -> Claim | None:
        """The next batch, or None: nothing is due, or the report says what halts."""
        while True:
            state = GatewayState.objects.current()
            if self.report.halts(state):
                if self.report.halted == "blocked" and candidates.due(1):
                    self.report.exit_codes.append(TROUBLE)
                return None
            if is_probe := state.blocked_until is not None:
                size = 1
            found = candidates.due(size) if pks is None else candidates.pending(pks, size)
            if not found:
                return None
            claim = persist(
                partial(self._take, found, is_probe),
                using=self.alias,
                seconds=DATABASE_PATIENCE,
            )
            if claim or pks is not None:
                return claim
            # Other workers were faster with all of them, or with the probe: look again.

    def _take(self, found: Sequence[Candidate], is_probe: bool) -> Claim | None:
        began, lease = time.monotonic(), timedelta(seconds=conf.LEASE)
        batch = SmsBatch(worker=worker_name(), created_at=db_now(), lease_until=db_now() + lease)
        messages = SmsMessage.objects.using(self.alias)
        with transaction.atomic(using=self.alias, durable=True):
            # The INSERT comes first: SQLite then waits for its lock instead of failing.
            batch.save(using=self.alias, force_insert=True)
            won = not is_probe or GatewayState.objects.win_probe(batch, lease)
            claimed = messages.claim(batch, [one.pk for one in found]) if won else 0
            if not claimed:
                transaction.set_rollback(True, using=self.alias)
                return None
        self.report.claimed += claimed
        if claimed < len(found):  # another worker was faster with some
            mine = set(messages.filter(batch=batch).values_list("pk", flat=True))
            found = [one for one in found if one.pk in mine]
        return Claim(batch, list(found), began, is_probe)

    def _post(self, claim: Claim) -> None:
        outgoing = self._outgoing(claim)
        latest = claim.began + conf.LEASE - conf.TIMEOUT
        self.under_way[claim.batch] = claim
        if outgoing:
            self.report.posts += 1
            self.calls.start(claim.batch, partial(_send, self.gateway, outgoing, latest))
        else:
            self._record(claim, Proof(Outcome.NEVER_LEFT, ErrorCode.INVALID))

    def _outgoing(self, claim: Claim) -> list[OutgoingMessage]:
        """The messages for the wire; those that can not be put on it fail."""
        outgoing, invalid = [], []
        for message in claim.messages:
            try:
                outgoing.append(_wire(message))
            except ValueError:
                invalid.append(message.pk)
        if invalid:
            rows = SmsMessage.objects.using(self.alias).filter(
                pk__in=invalid, batch=claim.batch, status=Status.SENDING
            )
            end = partial(rows.end, Status.FAILED, ErrorCode.INVALID)
            self.report.count(persist(end, using=self.alias, seconds=DATABASE_PATIENCE))
        return outgoing

    def _record_next(self) -> None:
        batch, result = self.calls.wait()
        if isinstance(result, BaseException):
            logger.warning("post.failed batch=%s error=%s", batch.pk, type(result).__name__)
            proof = proofs.of_error(result)
        else:
            proof = proofs.of_reply(result)
        self._record(self.under_way[batch], proof)

    def _record(self, claim: Claim, proof: Proof) -> None:
        del self.under_way[claim.batch]
        pks = {str(message.guid): message.pk for message in claim.messages}
        write = partial(proofs.record, claim.batch, proof, pks)
        left = max(1.0, claim.began + conf.LEASE - time.monotonic())
        try:
            counts = persist(write, using=self.alias, seconds=left)
        except DatabaseError as error:
            logger.error("batch.unrecorded batch=%s error=%s", claim.batch.pk, type(error).__name__)
            self.stopped = self.report.failed = True
            # The truth must not be lost with the messages' rows: a later sweep applies it.
            with suppress(DatabaseError):
                proofs.close(claim.batch, proof, pks)
            return
        self.report.count(counts)
        self.report.exit_codes.append(exit_code(proof))
        good = counts[Status.ACCEPTED] > 0 or proofs.is_good(proof, pks)
        judge = partial(self._judge, claim, proof, good)
        persist(judge, using=self.alias, seconds=DATABASE_PATIENCE)
        self.progress(len(claim.messages))

    def _judge(self, claim: Claim, proof: Proof, good: bool) -> None:
        """Go on, or stop and trip the breaker."""
        states = GatewayState.objects
        if good:
            self.trusted = True
            if claim.is_probe:
                states.clear(claim.batch)
        elif proof.error_code not in (ErrorCode.LEASE_SHORT, ErrorCode.INVALID):
            self.stopped = True
            failures = states.current().failures
            tripped = states.trip(claim.batch, wait=_wait(proof, failures))
            logger.warning("breaker.trip batch=%s tripped=%d", claim.batch.pk, tripped)


def worker_name() -> str:
    """Which process this is, for the journal."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}"


def _wire(message: Candidate) -> OutgoingMessage:
    """What the gateway is given. Raises ``ValueError`` for what it can not be given."""
    if not message.text.strip() or "\0" in message.text or not is_source(message.source):
        raise ValueError("not for the wire")
    number = wire_number(message.number)
    return OutgoingMessage(message.guid, number, message.text, message.source)


def _send(gateway: Backend, messages: Sequence[OutgoingMessage], latest: float) -> list[SendResult]:
    if time.monotonic() > latest:  # a paused process could else send what was given up meanwhile
        raise NeverLeft(ErrorCode.LEASE_SHORT)
    return gateway.send(messages)


def _wait(proof: Proof, failures: int) -> timedelta:
    """How long nothing is sent after trouble."""
    if proof.outcome in (Outcome.REFUSED, Outcome.NEVER_LEFT):
        seconds = 60.0 if proof.retry_after is None else min(max(proof.retry_after, 1.0), 3600.0)
        return timedelta(seconds=seconds)
    return timedelta(minutes=min(2 ** min(failures, 4), 15))
