"""Checks of plain values after a storm."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A message in the database."""

    guid: str
    status: str
    resends: int = 0
    gateway_id: str = ""
    error_code: str = ""


class Change(NamedTuple):
    """A change of a message's status, as the trigger recorded it."""

    old: str
    new: str
    resolution: str = ""
    resends: int = 0
    error_code: str = ""


#: Errors of a request that a busy machine was too slow for.
SLOW = {"timeout", "deadline"}
#: Allowed next statuses. A resolved message may only become accepted, by proof.
ALLOWED = {
    "pending": {"sending", "cancelled", "expired"},
    "sending": {"pending", "accepted", "failed", "unknown"},
    "accepted": {"sent", "delivered", "failed"},
    "sent": {"delivered", "failed"},
    "unknown": {"pending", "accepted", "failed"},
}
#: More next statuses of a pending message that a person resent.
ALLOWED_RESENT = {"unknown", "accepted"}


@dataclasses.dataclass
class Findings:
    """Counts of a storm. Those in ``FAULTS`` must be 0."""

    messages: int = 0
    posts: int = 0
    kills: int = 0
    stops: int = 0
    cuts: int = 0
    faults: int = 0
    unknown: int = 0
    gone_out: int = 0
    late: int = 0
    deadlocks: int = 0
    locked: int = 0
    by_design: int = 0
    extra_copies: int = 0
    false_sent: int = 0
    false_unsent: int = 0
    lost: int = 0
    stuck: int = 0
    nameless: int = 0
    uncommitted: int = 0
    wrong_changes: int = 0
    overtaken: int = 0
    paused_claims: int = 0
    needless: int = 0
    ended: int = 0
    events: int = 0
    reader_kills: int = 0
    events_missed: int = 0
    events_unread: int = 0
    events_twice: int = 0
    events_unordered: int = 0
    events_unwritten: int = 0

    FAULTS = (
        *("extra_copies", "false_sent", "false_unsent", "lost", "stuck"),
        *("nameless", "uncommitted", "wrong_changes"),
        *("overtaken", "paused_claims", "needless", "ended"),
        *("events_missed", "events_unread", "events_twice"),
        *("events_unordered", "events_unwritten"),
    )

    @property
    def violations(self) -> dict[str, int]:
        """Counts that must be 0 and are not."""
        return {name: value for name in self.FAULTS if (value := getattr(self, name))}

    def __add__(self, other: Findings) -> Findings:
        sums = {
            field.name: getattr(self, field.name) + getattr(other, field.name)
            for field in dataclasses.fields(self)
        }
        return Findings(**sums)


def find(
    rows: Sequence[Row],
    ledger: Iterable[dict[str, Any]],
    changes: Iterable[Change],
    *,
    created: int,
    unapplied: int,
    can_prove: bool = False,
    may_overtake: bool = False,
) -> Findings:
    """Compare the rows and their changes with the gateway's ledger.

    ``can_prove``: nothing struck that makes a message unknown. ``may_overtake``: what struck leaves
    a hole by design, so that a copy may arrive after a person resent its message.
    """
    posts = list(ledger)
    copies: Counter[str] = Counter()
    ids: set[tuple[str, str]] = set()
    for post in posts:
        copies.update(guid for guid, _ in post["taken"])
        ids.update((guid, id_) for guid, id_ in post["taken"])
    by_change = Counter(changes)
    unknown = [row for row in rows if row.status == "unknown"]
    held = [change for change in by_change.elements() if change.new == "unknown"]
    overtaken = sum(post.get("overtaken", 0) for post in posts)
    return Findings(
        messages=created,
        posts=len(posts),
        unknown=len(unknown),
        gone_out=sum(copies[row.guid] > 0 for row in unknown),
        late=sum(n for change, n in by_change.items() if change[:2] == ("unknown", "accepted")),
        extra_copies=sum(max(0, copies[row.guid] - 1 - row.resends) for row in rows),
        false_sent=sum(is_false_sent(row, copies) for row in rows),
        false_unsent=sum(is_false_unsent(row, copies) for row in rows),
        lost=created - len({row.guid for row in rows}),
        stuck=sum(row.status == "sending" for row in rows) + unapplied,
        nameless=sum(not row.error_code for row in unknown),
        uncommitted=sum(len(post.get("uncommitted", ())) for post in posts),
        wrong_changes=sum(n for change, n in by_change.items() if not is_allowed(change)),
        needless=sum(one.error_code not in SLOW for one in held) if can_prove else 0,
        overtaken=0 if may_overtake else overtaken,
        by_design=overtaken if may_overtake else 0,
    )


def is_false_sent(row: Row, copies: Counter[str]) -> bool:
    """Return whether the row says that the gateway has it, and the gateway does not."""
    return row.status in {"accepted", "sent", "delivered"} and not copies[row.guid]


def is_false_unsent(row: Row, copies: Counter[str]) -> bool:
    """Return whether the row says that it did not go out, and it did."""
    says_so = row.status in {"cancelled", "expired", "failed"} or (
        row.status == "pending" and not row.resends
    )
    return says_so and copies[row.guid] > 0


def is_allowed(change: Change) -> bool:
    """Return whether the change is allowed; an ended message never changes."""
    if change.old == "unknown" and change.resolution:
        return change.new == "accepted"
    allowed = ALLOWED.get(change.old, set())
    if change.old == "pending" and change.resends:
        allowed = (allowed | ALLOWED_RESENT) - {"cancelled", "expired"}
    return change.new in allowed
