"""A run of the worker: sweep, claim, POST, record.

No transaction is open during a POST. A batch is committed before its POST, and the outcome is
written in one transaction. Messages that may have gone out without proof are held as ``unknown``.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial

from django.db import Error, router

from ..choices import ErrorCode, Outcome, Priority
from ..conf import conf, require_fit, require_valid
from ..gateway import Backend, Call, SendResult, with_call
from ..models import GatewayState, SmsBatch, SmsMessage
from ..signals import Calls, call_receivers, receivers_held
from . import candidates, outcome_recording, proofs
from .claims import Claim, claim_next
from .configured_backend import get_backend
from .exit_codes import TROUBLE, UNKNOWN, exit_code
from .heartbeats import BEAT_SECONDS
from .outcome_recording import Result
from .proofs import Proof
from .request_threads import RequestThreads
from .run_log import log_batch, log_errors, log_failed_post, log_failure
from .run_report import RunError, RunReport
from .sweep import leftovers, sweep_batches, sweep_leftovers

#: How often a run looks for an urgent message while all its requests wait for the gateway, in
#: seconds.
LOOK_SECONDS = 0.05

#: While this many calls of receivers of ``status_changed`` wait, nothing is claimed.
MOST_CALLS = 1000

#: How often a long run sweeps the batches that other workers left, in seconds.
SWEEP_SECONDS = 60.0


def deliver(
    *,
    limit: int | None = None,
    batch_size: int | None = None,
    concurrency: int | None = None,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[int], object] = lambda count: None,
    alive: Callable[[], object] = lambda: None,
) -> RunReport:
    """Sweep, then send what is due until nothing is left, ``limit`` is reached, or trouble.

    ``stopping`` is called before each claim, ``progress`` with the number of messages after each
    record, ``alive`` at least every ``BEAT_SECONDS``, unless one receiver takes longer. Raises
    ``ImproperlyConfigured`` before anything is claimed.
    """
    require_ready()
    report = sweep_leftovers()
    alive()  # after the sweep has shown that the database can be reached
    sizes = concurrency or conf.CONCURRENCY, batch_size or conf.BATCH_SIZE
    try:
        _Run(report, *sizes, limit, stopping, progress, alive).deliver()
    finally:
        log_errors(report)
    log_failure(report)
    return report


def send_now(pks: Sequence[int]) -> RunReport:
    """Send these pending messages in one POST, whatever ``due_at``; what does not fit waits.

    Raises ``RuntimeError`` inside a transaction and ``ImproperlyConfigured``.
    """
    require_ready()
    report = RunReport()
    _Run(report, 1, conf.BATCH_SIZE).deliver_one(pks)
    log_errors(report)
    log_failure(report)
    return report


def require_ready() -> None:
    """Raise ``ImproperlyConfigured`` while a setting or the database is not fit for sending."""
    require_valid()
    require_fit(router.db_for_write(SmsMessage))


@dataclasses.dataclass
class _Run:
    """The state of a run. One thread uses the database; the others send and judge the replies."""

    report: RunReport
    concurrency: int
    batch_size: int
    limit: int | None = None
    stopping: Callable[[], bool] = lambda: False
    progress: Callable[[int], object] = lambda count: None
    alive: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.gateway: Backend = get_backend()
        self.requests: RequestThreads[Claim, Result] = RequestThreads()
        self.trusted = False  # one POST at a time until the first good reply
        self.drained = False  # nothing was left to claim
        self.stopped = False  # by trouble
        self.calls: Calls = Calls()  # of receivers, until no request is under way
        self.swept = time.monotonic()  # when it swept last; ``deliver()`` just did

    def deliver(self) -> None:
        """Send until there is nothing to claim, and call the receivers of ``status_changed``.

        They are called, and errors logged, while no request is under way, so that their time counts
        against no lease.
        """
        with receivers_held(self.calls, between=self.alive):
            self._send_all()
            while self._is_full():
                call_receivers(self.calls, between=self.alive)
                log_errors(self.report)
                self._send_all()

    def _send_all(self) -> None:
        """Keep as many POSTs under way as allowed, until there is nothing to claim.

        Finished requests are recorded together, and as many batches claimed as were recorded:
        fewer commits where the database is slower than the gateway, and where the gateway is
        slower, requests that do not all wait for it at the same time.

        One slot is kept for urgent messages. A run looks for them while its other slots wait.
        """
        try:
            self._claim_all(1)
            while self.requests:
                looks = self._free(urgent=True) and not self.stopping()
                if not (results := self._finished(LOOK_SECONDS if looks else None)):
                    self._begin(1, urgent=True)
                    continue
                try:
                    self._claim_early(results)
                finally:
                    self._record(results)
                self._sweep()
                self._claim_all(len(results))
        finally:
            while self.requests:  # record what is under way, whatever ended the claims
                self._record(self._finished())

    def deliver_one(self, pks: Sequence[int]) -> None:
        """Send in one POST what can be claimed of these messages."""
        with receivers_held(self.calls):
            self._begin(1, pks=pks)
            if self.requests:
                self._record(self._finished())

    def _claim_all(self, at_once: int) -> None:
        """Claim and POST until as many requests are under way as allowed, or nothing is left."""
        while self._free() and not self.stopping():
            if not self._begin(at_once):
                self.drained = True

    def _claim_early(self, results: Sequence[Result]) -> None:
        """After good replies, POST the next batches before the replies are recorded."""
        if not all(result.is_good and not result.is_probe for result in results) or self.stopping():
            return
        self.trusted = True
        # A late reply saves a resend, which must not be claimed before that is recorded.
        saved = {pk for result in results for pk in result.pks.values()}
        with suppress(Error):  # the claim after the record meets it again, and raises it
            self._begin(len(results), without=saved)

    def _begin(
        self,
        at_once: int,
        *,
        pks: Sequence[int] | None = None,
        without: Collection[int] = (),
        urgent: bool = False,
    ) -> int:
        """Claim and POST at most ``at_once`` batches, or only urgent ones; return how many."""
        batches = min(at_once, self._free(urgent=urgent))
        messages = batches * self.batch_size
        if self.limit is not None:
            messages = min(messages, self.limit - self.report.claimed)
        if messages <= 0:
            return 0
        priorities = [Priority.HIGH] if urgent else candidates.ALL
        claims, halt = claim_next(
            batches, messages, self.batch_size, pks=pks, without=without, priorities=priorities
        )
        self.report.claimed += sum(len(claim.messages) for claim in claims)
        if halt and not urgent:
            self.report.halt(halt)
            if halt.reason == "blocked" and candidates.due(1, 1):
                self.report.exit_codes.append(TROUBLE)
        for claim in claims:
            self._post(claim)
        return len(claims)

    def _free(self, *, urgent: bool = False) -> int:
        """Return how many more POSTs may begin now; one slot is only for urgent messages."""
        if self.stopped or self.report.halted or self._is_full() or (self.drained and not urgent):
            return 0
        slots = self.concurrency if self.trusted else 1
        kept = 1 if slots > 1 and not urgent else 0
        return max(0, slots - kept - len(self.requests))

    def _sweep(self) -> None:
        """Sweep batches once a minute: the messages of a killed worker must not wait for hours."""
        if time.monotonic() < self.swept + SWEEP_SECONDS:
            return
        self.swept = time.monotonic()
        self.report.add(sweep_batches(own=[claim.batch.pk for claim in self.requests]))

    def _is_full(self) -> bool:
        return len(self.calls) >= MOST_CALLS or bool(self.report.unlogged)

    def _post(self, claim: Claim) -> None:
        """Start the request of a claim; messages that cannot be put on the wire fail."""
        outgoing, invalid = candidates.for_the_wire(claim.messages)
        if invalid:
            self.report.count(outcome_recording.fail_invalid(claim, invalid))
        if outgoing:
            if invalid:
                sent = [message for message in claim.messages if message.pk not in invalid]
                claim = dataclasses.replace(claim, messages=sent)
            self.report.posts += 1
            call = Call(conf.TIMEOUT, lease_end=claim.began + conf.LEASE)
            send = partial(with_call(self.gateway.send, call), outgoing)
            self.requests.start(claim, call, partial(_send_and_judge, claim, send))
        else:
            self._record([Result.of(claim, Proof(Outcome.NEVER_LEFT, ErrorCode.INVALID))])

    def _finished(self, seconds: float | None = None) -> list[Result]:
        """Return the results of the requests that are over; if there are none, of the next one.

        None if the next one takes longer than so many seconds.
        """
        while True:
            self.alive()  # before the wait: a reply that is held must be recorded first
            over = self.requests.wait(BEAT_SECONDS if seconds is None else seconds)
            if over or seconds is not None:
                return [_result(claim, answer) for claim, answer in over]

    def _record(self, results: Sequence[Result]) -> None:
        """Record the results, count them in the report, and go on, or stop after trouble."""
        for result, counts in zip(results, outcome_recording.record_or_journal(results)):
            if counts is None:
                self.stopped = self.report.failed = True
                continue
            self.report.count(counts)
            self._note(result)
            log_batch(result, counts)
            self.trusted |= result.is_good
            self.stopped |= result.is_trouble
            if not outcome_recording.update_breaker(result):
                self.stopped = self.report.failed = True
            self.progress(len(result.pks))

    def _note(self, result: Result) -> None:
        proof, code = result.proof, exit_code(result.proof)
        self.report.exit_codes.append(code)
        for reason, count in result.reasons.items():
            asked = UNKNOWN if proof.outcome == Outcome.ANSWERED else code
            self.report.note(RunError(reason, proof.http_code, asked, count))


def _send_and_judge(claim: Claim, send: Callable[[], list[SendResult]]) -> Result:
    """Send a batch and judge the reply here, because the main thread is busy with the database."""
    result = Result.of(claim, proofs.of_reply(send()))
    result.verdicts  # noqa: B018  computed now and cached
    return result


def _result(claim: Claim, answer: Result | BaseException) -> Result:
    """Return the result of a request. If it ended with an error, log the error."""
    if isinstance(answer, Result):
        return answer
    proof = proofs.of_error(answer)
    log_failed_post(claim.batch, answer, proof)
    return Result.of(claim, proof)


def seconds_to_work() -> float:
    """Return in how many seconds a run has something to sweep, to send or to ask about.

    0: now. Infinity: nothing has a time yet. One query.
    """
    messages = SmsMessage.objects.for_write()
    # One query for each priority, as in the index: it then reads no message of the future.
    due = messages.due().order_by("due_at")
    later = messages.due_later().order_by("due_at").values("due_at")
    checkable = SmsBatch.objects.checkable().order_by("next_check_at")
    return GatewayState.objects.seconds_until(
        [*(due.filter(priority=one) for one in Priority), checkable, *leftovers()],
        [later.filter(priority=one) for one in Priority],
    )
