"""Claims: batches that are committed as ours before any of their messages leaves."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any

from django.db import router, transaction
from django.db.models import Exists, Expression, OuterRef, QuerySet

from ..choices import ErrorCode, Priority, Status
from ..conf import conf
from ..gateway import uptime
from ..limits import pace, quiet_until
from ..models import (
    RETRY_SECONDS,
    GatewayState,
    MessageQuerySet,
    PkIn,
    PrimaryKeys,
    SmsBatch,
    SmsMessage,
    StoppedNumber,
    db_now,
    retry_on_lock,
    select,
    short_lock_waits,
)
from . import candidates
from .candidates import Candidate
from .heartbeats import host_name
from .run_report import Halt, halt_of

logger = logging.getLogger(__name__)

#: How often in a row a claim may find that others were faster. The run then ends early.
MOST_TRIES = 100


@dataclasses.dataclass(frozen=True, eq=False)
class Claim:
    """A batch that is ours, with its messages, and when its claim began, by ``uptime()``."""

    batch: SmsBatch
    messages: Sequence[Candidate]
    began: float
    is_probe: bool


class OthersWereFaster(Exception):
    """Rolls a claim back: others got its messages, its probe or its room, or halted sending."""


def claim_next(
    max_batches: int,
    max_messages: int,
    batch_size: int,
    *,
    pks: Sequence[int] | None = None,
    without: Collection[int] = (),
    priorities: Sequence[Priority] = candidates.ALL,
) -> tuple[list[Claim], Halt | None]:
    """Claim the next batches, of these messages or of all that is due with these priorities.

    Returns no claims where nothing can be claimed, and why if something halts sending. Batches
    that begin with a message of ``without`` are left out.
    """
    states = GatewayState.objects
    # The claim itself asks whether sending is halted. Before it, only limits need the time.
    state = states.current() if conf.QUIET_HOURS is not None or pace.is_set() else None
    for _try in range(MOST_TRIES):
        if halt := halt_of(state):
            return [], halt
        if is_probe := state is not None and state.blocked_until is not None:
            max_batches = batch_size = 1
        limit = min(max_messages, max_batches * batch_size)
        now = state.now if state else None
        found, halt = _choose(now, limit, batch_size, pks, priorities)
        found = [batch for batch in found[:max_batches] if batch[0].pk not in without]
        paced_at = now if pace.is_set() else None
        if found and (claims := take(found, is_probe=is_probe, paced_at=paced_at)):
            return claims, None
        state = states.current()
        if not found:
            return [], halt_of(state) or halt
        # Sending is halted, or others were faster with all of them, the pace or the probe.
    return [], None


def can_claim() -> bool:
    """Return whether a claim would take a message now: nothing halts it, and the pace has room."""
    state = GatewayState.objects.current()
    if halt_of(state):
        return False
    found, _halt = _choose(state.now, 1, 1, None, candidates.ALL)
    return bool(found)


def _choose(
    now: datetime | None,
    limit: int,
    batch_size: int,
    pks: Sequence[int] | None,
    priorities: Sequence[Priority],
) -> tuple[list[list[Candidate]], Halt | None]:
    """Return the next messages in batches, or why there are none, where a limit is the cause.

    ``now`` is the database's time, which may be missing where there is no limit.
    """
    quiet_end = quiet_until(now) if now else None
    if quiet_end:
        priorities = [Priority.HIGH]
    room = partial(pace.room, now=now) if now and pace.is_set() else None
    if pks is None:
        found = candidates.due(limit, batch_size, priorities=priorities, room=room)
    else:
        found = candidates.pending(pks, batch_size, priorities=priorities, room=room)
    if found:
        return found, None
    if quiet_end:
        return [], Halt("quiet", quiet_end)
    if now and room and (full_until := pace.full_until(candidates.senders(pks), now)):
        return [], Halt("pace", full_until)
    return [], None


def take(
    found: Sequence[list[Candidate]], *, is_probe: bool = False, paced_at: datetime | None = None
) -> list[Claim]:
    """Claim each list of messages as a batch, all in one transaction; none if others were faster.

    Nothing is claimed while sending is halted. Messages that another worker claimed first are left
    out, and those whose number is stopped are cancelled. A probe is one batch, and one process on
    all hosts wins it. ``paced_at``: when the pace had room for these messages.
    """
    tried: list[Claim] = []
    write = partial(_take, found, tried, is_probe=is_probe, paced_at=paced_at)
    alias = router.db_for_write(SmsMessage)
    return retry_on_lock(write, using=alias, seconds=RETRY_SECONDS)


def _take(
    found: Sequence[list[Candidate]],
    tried: list[Claim],
    *,
    is_probe: bool,
    paced_at: datetime | None,
) -> list[Claim]:
    """Claim, unless one of the attempts that were ``tried`` before has claimed after all."""
    if ours := _still_ours(tried):
        return ours
    alias = router.db_for_write(SmsMessage)
    began, lease = uptime(), timedelta(seconds=conf.LEASE)
    batches = [SmsBatch(worker=worker_name()) for _ in found]
    tried += (Claim(batch, own, began, is_probe) for batch, own in zip(batches, found))
    with (
        suppress(OthersWereFaster),
        transaction.atomic(using=alias, durable=True),
        short_lock_waits(alias),
    ):
        _lock_state(batches, lease, is_probe=is_probe)
        claims = [
            Claim(batch, messages, began, is_probe)
            for batch, messages in zip(batches, _claim_messages(batches, found))
        ]
        if paced_at is not None and not pace.charge(_loads(claims), paced_at):
            raise OthersWereFaster
        if empty := [claim.batch for claim in claims if not claim.messages]:
            SmsBatch.objects.using(alias).filter(pk__in=[batch.pk for batch in empty]).delete()
            if is_probe:
                GatewayState.objects.release_probe(empty[0])
        return [claim for claim in claims if claim.messages]
    return []


def _still_ours(tried: Iterable[Claim]) -> list[Claim]:
    """Return the claims that were committed although no answer to their COMMIT came."""
    ours = [dataclasses.replace(one, messages=_ours(one.batch, one.messages)) for one in tried]
    return [claim for claim in ours if claim.messages]


def _lock_state(batches: Sequence[SmsBatch], lease: timedelta, *, is_probe: bool) -> None:
    """Insert the batches while the state is locked, if it lets them be sent.

    A write comes first: SQLite then waits for its lock instead of failing.
    """
    states = GatewayState.objects
    if is_probe and not states.win_probe(batches[0], lease):
        raise OthersWereFaster
    if not all(states.admit(batch, lease) for batch in batches):
        raise OthersWereFaster


def _claim_messages(
    batches: Sequence[SmsBatch], found: Sequence[list[Candidate]]
) -> list[list[Candidate]]:
    """Claim the messages for their batches, and return those that are ours, batch by batch."""
    counts = [
        SmsMessage.objects.claim(batch, [candidate.pk for candidate in messages])
        for batch, messages in zip(batches, found)
    ]
    if not any(counts):
        raise OthersWereFaster
    if cancelled := _cancel_stopped(batches, [one.pk for one in chain.from_iterable(found)]):
        logger.info("claim.stopped count=%d", cancelled)
        counts = [0] * len(batches)  # because any batch may have lost some
    return [
        messages if count == len(messages) else _ours(batch, messages)
        for batch, messages, count in zip(batches, found, counts)
    ]


def _cancel_stopped(batches: Sequence[SmsBatch], pks: Sequence[int]) -> int:
    """Cancel those of these messages in the batches whose number is stopped.

    Reads the stop list when the messages are locked, so that a number is found that was stopped
    while the claim waited. Returns how many left their batch. A resent message may have gone out
    before, and is held.
    """
    stopped = [pk for (pk,) in select(_to_stopped, SmsMessage, pks=PrimaryKeys(pks))]
    if not stopped:
        return 0
    claimed = SmsMessage.objects.for_write().filter(
        pk__in=stopped, batch__in=batches, status=Status.SENDING
    )
    values = {"batch": None, "cancelled_at": db_now()}
    return sum(claimed.end(Status.CANCELLED, ErrorCode.STOP_LIST, **values).values())


def _to_stopped(messages: MessageQuerySet, *, pks: Expression) -> QuerySet[SmsMessage, Any]:
    stopped = Exists(StoppedNumber.objects.filter(number=OuterRef("number")))
    return messages.filter(PkIn(pks), stopped).values_list("pk")


def _ours(batch: SmsBatch, messages: Sequence[Candidate]) -> list[Candidate]:
    rows = SmsMessage.objects.for_write().filter(batch=batch, status=Status.SENDING)
    ours = set(rows.values_list("pk", flat=True))
    return [candidate for candidate in messages if candidate.pk in ours]


def _loads(claims: Iterable[Claim]) -> dict[str, pace.Load]:
    claimed = chain.from_iterable(claim.messages for claim in claims)
    return {source: _load(own) for source, own in candidates.by_sender(claimed).items()}


def _load(messages: Sequence[Candidate]) -> pace.Load:
    """Return the load of a sender's messages. The longest of the least urgent counts as the last.

    They are no longer in the order in which the pace had room for them: whatever their order was,
    there is room for this one if there was for all.
    """
    segments = sum(message.segments for message in messages)
    last = max(messages, key=attrgetter("priority", "segments"))
    return pace.Load(segments, segments - last.segments, last.priority == Priority.HIGH)


def worker_name() -> str:
    """Return the host and the process id, for the journal."""
    return f"{host_name()}:{os.getpid()}"
