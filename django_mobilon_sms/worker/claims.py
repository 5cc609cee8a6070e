"""The claim: batches that are committed as ours before anything of them leaves."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from django.db import router, transaction
from django.db.models import Exists, OuterRef

from ..choices import ErrorCode, Status
from ..conf import conf
from ..limits import charge
from ..models import GatewayState, SmsBatch, SmsMessage, StoppedNumber
from .candidates import Candidate

logger = logging.getLogger(__name__)


class Claim(NamedTuple):
    """A batch that is ours, with its messages, and when (monotonic) its claim began."""

    batch: SmsBatch
    messages: Sequence[Candidate]
    began: float
    is_probe: bool


def take(
    found: Sequence[list[Candidate]],
    *,
    is_probe: bool = False,
    stops: bool = False,
    paced_at: datetime | None = None,
) -> list[Claim]:
    """Take each of these lists of messages into a batch of ours, in one transaction.

    What other workers were faster with is left out; a probe is one batch, and one process wins it.
    ``stops``: numbers are on the stop list, and what was written to them meanwhile is cancelled.
    ``paced_at``: the senders have a pace, which had room for these at this time.
    """
    alias = router.db_for_write(SmsMessage)
    began, lease = time.monotonic(), timedelta(seconds=conf.LEASE)
    messages = SmsMessage.objects.using(alias)
    with transaction.atomic(using=alias, durable=True):
        # The INSERT comes first: SQLite then waits for its lock instead of failing.
        batches = [SmsBatch.objects.begin(worker_name(), lease) for _ in found]
        won = not is_probe or GatewayState.objects.win_probe(batches[0], lease)
        counts = [
            messages.claim(batch, [one.pk for one in each]) if won else 0
            for batch, each in zip(batches, found)
        ]
        if not any(counts):
            transaction.set_rollback(True, using=alias)
            return []
        if stops and (stopped := cancel_stopped(batches)):
            logger.info("claim.stopped count=%d", stopped)
            counts = [0] * len(batches)  # of any batch some may be gone
        mine = [
            each if count == len(each) else _mine(batch, each)
            for batch, each, count in zip(batches, found, counts)
        ]
        if paced_at is not None and not charge(_parts(chain.from_iterable(mine)), paced_at):
            transaction.set_rollback(True, using=alias)
            return []
        if vain := [batch.pk for batch, each in zip(batches, mine) if not each]:
            SmsBatch.objects.using(alias).filter(pk__in=vain).delete()
    return [Claim(batch, each, began, is_probe) for batch, each in zip(batches, mine) if each]


def _mine(batch: SmsBatch, found: Sequence[Candidate]) -> list[Candidate]:
    rows = SmsMessage.objects.for_write().filter(batch=batch, status=Status.SENDING)
    mine = set(rows.values_list("pk", flat=True))
    return [one for one in found if one.pk in mine]


def _parts(claimed: Iterable[Candidate]) -> dict[str, list[int]]:
    """The parts of each message, by its sender."""
    parts: dict[str, list[int]] = defaultdict(list)
    for one in claimed:
        parts[one.source].append(one.segments)
    return parts


def worker_name() -> str:
    """Which process this is, for the journal."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}"


def cancel_stopped(batches: Iterable[SmsBatch]) -> int:
    """Cancel the messages of these batches whose number was stopped before the claim.

    Returns how many left their batch. A resent message may have gone out before, and is held.
    """
    stopped = Exists(StoppedNumber.objects.filter(number=OuterRef("number")))
    claimed = SmsMessage.objects.for_write().filter(
        stopped, batch__in=batches, status=Status.SENDING
    )
    if not claimed.exists():  # one statement instead of two, because most claims have none
        return 0
    return sum(claimed.end(Status.CANCELLED, ErrorCode.STOP_LIST, batch=None).values())
