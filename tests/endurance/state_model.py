"""A second writing of the rules in docs/explanation/protocol.rst, without Django or a database.

A state holds the rows, the journal, the memory of each worker, and the number of copies of each
message that the gateway took. ``Protocol`` holds the rules as functions from a state to the next
one; a rule whose condition is not met changes nothing. ``steps()`` yields everything that can
happen next, ``wrong()`` and ``wrong_step()`` find violations, and ``search()`` walks every
reachable state.

A ``mistake`` breaks one rule: the search must then find a violation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, combinations, product
from typing import NamedTuple

WORKERS = "AB"
#: According to the row, the gateway has the message.
TAKEN = ("accepted", "sent", "delivered")
#: According to the row, the gateway never got the message.
CLEAN = ("pending", "cancelled", "expired", "failed")
#: Final statuses.
OVER = ("cancelled", "expired", "failed", "delivered")


class Row(NamedTuple):
    """A message. ``why`` is the error code, if a rule depends on it."""

    status: str = "pending"
    resends: int = 0
    resolution: str = ""
    why: str = ""
    #: The index of its batch in the journal.
    batch: int = -1
    expiry: str = "ahead"  # none, ahead, over
    copies: int = 0


class Batch(NamedTuple):
    """A row of the journal, and the memory of its worker.

    ``answer`` and ``outcome`` hold one word for each row, or one for all (back, lost).

    ========  ==============================================================
    accepted  an object with an id
    failed    the gateway says so of this message
    nothing   no proof: no reply, an unreadable one, none for this message
    back      the request never left, or the gateway refused all of it
    lost      the sweep found the lease over and no outcome
    ========  ==============================================================
    """

    rows: tuple[int, ...]
    worker: str = ""  # the holder; empty once it is recorded or its worker is dead
    leased: bool = True
    answer: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    applied: bool = False


class State(NamedTuple):
    """All rows and batches."""

    rows: tuple[Row, ...]
    batches: tuple[Batch, ...] = ()

    def with_row(self, index: int, row: Row) -> State:
        return self._replace(rows=(*self.rows[:index], row, *self.rows[index + 1 :]))

    def with_batch(self, index: int, **changes: object) -> State:
        batch = self.batches[index]._replace(**changes)
        return self._replace(batches=(*self.batches[:index], batch, *self.batches[index + 1 :]))

    def held_by(self, worker: str) -> int | None:
        """Return the index of the batch that this worker holds."""
        return next((at for at, batch in enumerate(self.batches) if batch.worker == worker), None)


class Step(NamedTuple):
    """Who did what, for the path to a violation."""

    who: str
    does: str
    what: str = ""

    def __str__(self) -> str:
        return " ".join(self).rstrip()


def undecided(row: Row) -> bool:
    """Return whether it is under way, or lost with its worker and not resolved by a person."""
    return row.status == "sending" or (
        row.status == "unknown" and row.why == "lost" and not row.resolution
    )


def ended(row: Row) -> bool:
    return row.status in OVER or (row.status == "unknown" and row.resolution != "")


#: Each breaks one rule, and must be found.
MISTAKES = (
    "lost goes back to pending",
    "no proof goes back to pending",
    "claim whatever the status",
    "claim what has expired",
    "post before the claim is committed",
    "post when the lease is over",
    "record without the token",
    "record what never left whatever a person decided",
    "late answer is ignored",
    "late acceptance does not save a resend",
    "late acceptance wipes the decision",
    "cancel a resent row for good",
    "fail a resent row for good",
    "cancel what is under way",
    "resend while the lease runs",
    "resend what was decided",
    "resend without counting",
    "sweep before the lease is over",
    "sweep leaves outcomes that were not applied",
    "sweep leaves what is lost under way",
    "report moves a status backwards",
)


class Protocol:
    """The rules; a ``mistake`` breaks one of them."""

    def __init__(self, mistake: str = "") -> None:
        if mistake and mistake not in MISTAKES:
            raise ValueError(mistake)
        self.mistake = mistake

    # The worker

    def claim(self, state: State, worker: str, wanted: tuple[int, ...]) -> State:
        """Claim the messages still to be sent in a new batch; without any, make no batch."""
        taken = tuple(index for index in wanted if self._claimable(state.rows[index]))
        if not taken or state.held_by(worker) is not None:
            return state
        place = len(state.batches)
        for index in taken:
            row = state.rows[index]._replace(status="sending", batch=place)
            state = state.with_row(index, row)
        return state._replace(batches=(*state.batches, Batch(taken, worker)))

    def _claimable(self, row: Row) -> bool:
        in_time = row.expiry != "over" or self.mistake == "claim what has expired"
        return in_time and (row.status == "pending" or self.mistake == "claim whatever the status")

    def unfit(self, state: State, worker: str, index: int) -> State:
        """Fail a claimed message that cannot be put on the wire; the rest of its batch goes on.

        The outcome of the request no longer concerns it.
        """
        place = state.held_by(worker)
        if place is None or state.batches[place].answer or index not in state.batches[place].rows:
            return state
        row = state.rows[index]
        if row.status == "sending" and row.batch == place:
            state = state.with_row(index, self._end(row, "failed", "invalid"))
        left = tuple(other for other in state.batches[place].rows if other != index)
        return state.with_batch(place, rows=left)

    def may_post(self, state: State, worker: str) -> bool:
        """Return whether the worker may send: not with too little of its lease left."""
        place = state.held_by(worker)
        if place is None or state.batches[place].answer or not state.batches[place].rows:
            return False
        return state.batches[place].leased or self.mistake == "post when the lease is over"

    def post(
        self, state: State, worker: str, took: tuple[bool, ...], said: tuple[str, ...]
    ) -> State:
        """Let the gateway take some of the batch, and the worker hear something about it."""
        place = state.held_by(worker)
        if place is None or not self.may_post(state, worker):
            return state
        for index, copy in zip(state.batches[place].rows, took):
            row = state.rows[index]
            state = state.with_row(index, row._replace(copies=row.copies + copy))
        return state.with_batch(place, answer=said)

    def put_back(self, state: State, worker: str) -> State:
        """Let the request never leave, or the gateway refuse all of it."""
        place = state.held_by(worker)
        if place is None or state.batches[place].answer:
            return state
        return state.with_batch(place, answer=("back",))

    def kill(self, state: State, worker: str) -> State:
        place = state.held_by(worker)
        return state if place is None else state.with_batch(place, worker="", answer=())

    def close(self, state: State, worker: str) -> State:
        """Write the worker's outcome to the batch, also in place of "lost"."""
        place = state.held_by(worker)
        if place is None or not state.batches[place].answer:
            return state
        batch = state.batches[place]
        if batch.outcome and self.mistake == "late answer is ignored":
            return self.kill(state, worker)
        return state.with_batch(
            place, worker="", answer=(), leased=False, outcome=batch.answer, applied=False
        )

    def record(self, state: State, worker: str) -> State:
        """Write the outcome to the batch and to its messages, in one transaction."""
        place = state.held_by(worker)
        closed = self.close(state, worker)
        return closed if place is None or closed == state else self.apply(closed, place)

    def apply(self, state: State, place: int) -> State:
        """Apply an outcome to the messages of its batch, once."""
        batch = state.batches[place]
        if not batch.outcome or batch.applied:
            return state
        words = batch.outcome if len(batch.outcome) > 1 else batch.outcome * len(batch.rows)
        for index, word in zip(batch.rows, words):
            row = state.rows[index]
            if row.batch == place or self.mistake == "record without the token":
                state = state.with_row(index, self._hear(row, word))
        return state.with_batch(place, applied=True)

    def _hear(self, row: Row, word: str) -> Row:
        waits = row.status == "pending" and row.resends > 0
        waits = waits and self.mistake != "late acceptance does not save a resend"
        if word == "accepted" and (row.status in ("sending", "unknown") or waits):
            wiped = self.mistake == "late acceptance wipes the decision"
            decision = "" if wiped else row.resolution
            return row._replace(status="accepted", why="", resolution=decision)
        if word == "failed" and undecided(row):
            return self._end(row, "failed", "rejected")
        if word == "back" and (
            undecided(row)
            or (row.status == "unknown" and "whatever a person decided" in self.mistake)
        ):
            return row._replace(status="pending", why="back")
        if word in ("nothing", "lost") and row.status == "sending":
            back = (word, self.mistake) in (
                ("nothing", "no proof goes back to pending"),
                ("lost", "lost goes back to pending"),
            )
            return row._replace(status="pending" if back else "unknown", why=word)
        return row

    def _end(self, row: Row, status: str, why: str) -> Row:
        """End a row, or hold it if it was resent, because an earlier copy may have gone out."""
        for_good = {
            "cancelled": "cancel a resent row for good",
            "failed": "fail a resent row for good",
        }
        held = row.resends > 0 and for_good.get(status) != self.mistake
        return row._replace(status="unknown" if held else status, why=why)

    # The sweep, at the beginning of every run

    def lose(self, state: State, place: int) -> State:
        """Record as lost a batch whose lease is over and that has no outcome."""
        batch = state.batches[place]
        early = self.mistake == "sweep before the lease is over"
        if batch.outcome or (batch.leased and not early):
            return state
        state = state.with_batch(place, outcome=("lost",))
        if self.mistake == "sweep leaves what is lost under way":
            return state.with_batch(place, applied=True)
        return self.apply(state, place)

    def expire(self, state: State, index: int) -> State:
        row = state.rows[index]
        if row.status != "pending" or row.expiry != "over":
            return state
        return state.with_row(index, self._end(row, "expired", "expired"))

    def sweep(self, state: State) -> State:
        for place in range(len(state.batches)):
            if self.mistake != "sweep leaves outcomes that were not applied":
                state = self.apply(state, place)
        for place in range(len(state.batches)):
            state = self.lose(state, place)
        for index in range(len(state.rows)):
            state = self.expire(state, index)
        return state

    # People

    def cancel(self, state: State, index: int) -> State:
        row = state.rows[index]
        early = row.status == "sending" and self.mistake == "cancel what is under way"
        if row.status != "pending" and not early:
            return state
        return state.with_row(index, self._end(row, "cancelled", "cancelled"))

    def hold(self, state: State, index: int) -> State:
        """Hold a pending message, as ``hold_sms`` does: a copy of the database may have sent it."""
        row = state.rows[index]
        if row.status != "pending":
            return state
        return state.with_row(index, row._replace(status="unknown", why="held"))

    def resend(self, state: State, index: int) -> State:
        """Send again, once no request can be under way; clear an expiry that has passed."""
        row = state.rows[index]
        if self.mistake == "resend while the lease runs":
            allowed = row.status in ("unknown", "sending") and not row.resolution
        elif self.mistake == "resend what was decided":
            allowed = row.status == "unknown" and not self._under_way(state, row)
        else:
            allowed = row.status == "unknown" and not row.resolution
            allowed = allowed and not self._under_way(state, row)
        if not allowed:
            return state
        return state.with_row(
            index,
            row._replace(
                status="pending",
                why="",
                resends=row.resends + (self.mistake != "resend without counting"),
                expiry="none" if row.expiry == "over" else row.expiry,
            ),
        )

    def _under_way(self, state: State, row: Row) -> bool:
        if row.batch < 0:
            return False
        batch = state.batches[row.batch]
        return not batch.outcome and batch.leased

    def resolve(self, state: State, index: int, resolution: str) -> State:
        row = state.rows[index]
        if row.status != "unknown" or row.resolution:
            return state
        return state.with_row(index, row._replace(resolution=resolution))

    # The gateway's reports, and time

    def report(self, state: State, index: int, word: str) -> State:
        row = state.rows[index]
        backwards = self.mistake == "report moves a status backwards"
        froms = {"sent": TAKEN if backwards else ("accepted",)}.get(word, ("accepted", "sent"))
        if row.status not in froms:
            return state
        if word == "failed":
            return state.with_row(index, self._end(row, "failed", "reported"))
        return state.with_row(index, row._replace(status=word))

    def lease_over(self, state: State, place: int) -> State:
        return state if not state.batches[place].leased else state.with_batch(place, leased=False)

    def time_over(self, state: State, index: int) -> State:
        row = state.rows[index]
        if row.expiry != "ahead":
            return state
        return state.with_row(index, row._replace(expiry="over"))

    # All that can happen next

    def steps(self, state: State, most_resends: int) -> Iterator[tuple[Step, State]]:
        """Everything that can happen next, and where it leads."""
        for step, after in chain(
            self._claims(state),
            chain.from_iterable(self._work(state, worker) for worker in WORKERS),
            self._time_and_sweep(state),
            self._people_and_reports(state, most_resends),
        ):
            if after != state:
                yield step, after

    def _claims(self, state: State) -> Iterator[tuple[Step, State]]:
        # One idle worker is as good as another.
        free = next((worker for worker in WORKERS if state.held_by(worker) is None), None)
        numbers = range(len(state.rows))
        for size in range(1, len(numbers) + 1):
            for wanted in combinations(numbers, size):
                if free and all(self._claimable(state.rows[index]) for index in wanted):
                    what = ", ".join(map(str, wanted))
                    yield Step(free, "claims", what), self.claim(state, free, wanted)
        if self.mistake == "post before the claim is committed":
            for index, row in enumerate(state.rows):
                if row.status == "pending" and row.copies == 0:
                    yield (
                        Step("A", "posts", "too early"),
                        state.with_row(index, row._replace(copies=1)),
                    )

    def _work(self, state: State, worker: str) -> Iterator[tuple[Step, State]]:
        place = state.held_by(worker)
        if place is None:
            return
        batch = state.batches[place]
        yield Step(worker, "is killed"), self.kill(state, worker)
        if batch.answer:
            yield Step(worker, "records"), self.record(state, worker)
            yield Step(worker, "closes the batch only"), self.close(state, worker)
            return
        yield Step(worker, "hears that nothing was taken"), self.put_back(state, worker)
        for index in batch.rows:
            yield (
                Step(worker, "cannot put on the wire", str(index)),
                self.unfit(state, worker, index),
            )
        if self.may_post(state, worker):
            for fates in product(FATES, repeat=len(batch.rows)):
                took, said = zip(*fates)
                what = ", ".join(f"{'taken' if t else 'not taken'}/{s}" for t, s in fates)
                yield Step(worker, "posts:", what), self.post(state, worker, took, said)

    def _time_and_sweep(self, state: State) -> Iterator[tuple[Step, State]]:
        for place, batch in enumerate(state.batches):
            of_rows = f"of {batch.rows}"
            yield Step("the lease", "is over", of_rows), self.lease_over(state, place)
            yield Step("a sweep", "loses the batch", of_rows), self.lose(state, place)
            if self.mistake != "sweep leaves outcomes that were not applied":
                yield Step("a sweep", "applies the outcome", of_rows), self.apply(state, place)
        for index in range(len(state.rows)):
            yield Step("the time", "is over of", str(index)), self.time_over(state, index)
            yield Step("a sweep", "expires", str(index)), self.expire(state, index)

    def _people_and_reports(self, state: State, most: int) -> Iterator[tuple[Step, State]]:
        for index, row in enumerate(state.rows):
            what = str(index)
            yield Step("a person", "cancels", what), self.cancel(state, index)
            yield Step("a person", "holds", what), self.hold(state, index)
            if row.resends < most:
                yield Step("a person", "resends", what), self.resend(state, index)
            for word in ("sent", "given_up"):
                resolved = self.resolve(state, index, word)
                yield Step("a person", f"says {word} of", what), resolved
            for word in ("sent", "delivered", "failed"):
                reported = self.report(state, index, word)
                yield Step("the gateway", f"reports {word} of", what), reported


#: The fates of a message in a POST: whether the gateway takes it, and what the worker hears.
FATES = ((True, "accepted"), (True, "nothing"), (False, "nothing"), (False, "failed"))


# What must never be


def wrong(protocol: Protocol, state: State) -> str:
    """Return the violation in a state, or an empty string."""
    for row in state.rows:
        if row.copies > 1 + row.resends:
            return "more copies than anybody asked for"
        if row.status in TAKEN and not row.copies:
            return f"{row.status}, and the gateway does not have it"
        clean = row.status in CLEAN and row.why != "reported" and row.resends == 0
        if clean and row.copies:
            return f"{row.status}, and the gateway has it"
        if row.status in CLEAN[1:] and row.resends and row.why != "reported":
            return f"{row.status} for good, though it may have gone out before"
    return _stuck(protocol, state)


def _stuck(protocol: Protocol, state: State) -> str:
    """Return what one sweep leaves stuck when all workers are dead and all leases over."""
    for worker in WORKERS:
        state = protocol.kill(state, worker)
    for place in range(len(state.batches)):
        state = protocol.lease_over(state, place)
    state = protocol.sweep(state)
    if any(not batch.outcome or not batch.applied for batch in state.batches):
        return "a sweep left an outcome open or not applied"
    for index, row in enumerate(state.rows):
        if row.status == "sending":
            return "a sweep left a message under way"
        if row.status == "pending" and protocol.claim(state, "A", (index,)) == state:
            return "a pending message that nobody can claim"
        open_question = row.status == "unknown" and not row.resolution
        if open_question and protocol.resend(state, index) == state:
            return "an unknown message that nobody can send again"
    return ""


def wrong_step(before: State, step: Step, after: State) -> str:
    """Return the violation in a step, or an empty string."""
    for old, new in zip(before.rows, after.rows):
        if new.copies > old.copies and not _claimed(before, old):
            return "the gateway received what the database did not show as under way"
        if new.status == "sending" != old.status and old.expiry == "over":
            return "an expired message was claimed"
        proved = new.status == "accepted" and new.resolution == old.resolution
        by_answer = step.does in ("records", "applies the outcome")
        if ended(old) and old.status != new.status and not (proved and by_answer):
            return "an ended message changed"
        if ended(old) and old.resolution != new.resolution:
            return "a decision was forgotten"
        if {old.status, new.status} <= set(TAKEN) and _backwards(old, new):
            return "a status moved backwards"
    return _forgotten(before, step, after)


def _claimed(state: State, row: Row) -> bool:
    return row.status == "sending" and state.batches[row.batch].worker != ""


def _backwards(old: Row, new: Row) -> bool:
    return TAKEN.index(new.status) < TAKEN.index(old.status)


def _forgotten(before: State, step: Step, after: State) -> str:
    """Return a violation if a recorded acceptance did not reach its message."""
    if step.does == "records":
        words = [batch.answer if batch.worker == step.who else () for batch in before.batches]
    elif step.does == "applies the outcome":
        moved = zip(before.batches, after.batches)
        words = [old.outcome if old.applied != new.applied else () for old, new in moved]
    else:
        return ""
    for place, said in enumerate(words):
        for index, word in zip(before.batches[place].rows, said):
            row = before.rows[index]
            if word == "accepted" and row.batch == place and after.rows[index].status not in TAKEN:
                return "the gateway took it, the worker wrote it down, and the row does not say so"
    return ""


# The search


def canonical(state: State) -> State:
    """Return the state without what no rule depends on, and with interchangeable workers."""
    live = sorted(
        (
            batch.rows,
            batch.leased,
            batch.answer,
            batch.outcome,
            batch.applied,
            batch.worker != "",
            [row.batch == place for row in state.rows],  # keeps two equal batches apart
            place,
        )
        for place, batch in enumerate(state.batches)
        if batch.worker or not batch.outcome or not batch.applied
    )
    names = iter(WORKERS)
    places: dict[int, int] = {}
    batches = []
    for rows, leased, answer, outcome, applied, held, _own, place in live:
        places[place] = len(batches)
        worker = next(names) if held else ""
        batches.append(Batch(rows, worker, leased, answer, outcome, applied))
    return State(tuple(_slim(row, places) for row in state.rows), tuple(batches))


def _slim(row: Row, places: dict[int, int]) -> Row:
    return Row(
        row.status,
        row.resends,
        row.resolution and "sent",
        row.why if row.why in ("lost", "reported") else "",
        places.get(row.batch, -1),
        "none" if row.status in OVER else row.expiry,
        row.copies,
    )


class Found(NamedTuple):
    """The number of states that a search reached, and the path to the first violation."""

    states: int
    wrong: str = ""
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.wrong or 'nothing wrong'}, after:", *self.path])


def search(
    protocol: Protocol,
    start: State,
    *,
    most_resends: int,
    allowed: Callable[[Step], bool] = lambda step: True,
) -> Found:
    """Walk every reachable state, the nearest first, up to a violation."""
    start = canonical(start)
    came_from: dict[State, State | None] = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        for step, reached in protocol.steps(state, most_resends):
            if not allowed(step):
                continue
            after = canonical(reached)
            fault = wrong_step(state, step, reached)
            if after not in came_from:
                came_from[after] = state
                waiting.append(after)
                fault = fault or wrong(protocol, reached)
            if fault:
                path = _path(protocol, came_from, state, most_resends)
                return Found(len(came_from), fault, tuple(path))
    return Found(len(came_from))


def _path(
    protocol: Protocol, came_from: dict[State, State | None], state: State, most_resends: int
) -> list[str]:
    """Return the steps to a state and the violation after it; each worker keeps its name."""
    way = [state]
    while (before := came_from[way[-1]]) is not None:
        way.append(before)
    state, path = way.pop(), []
    for target in reversed(way):
        steps = protocol.steps(state, most_resends)
        step, state = next((step, after) for step, after in steps if canonical(after) == target)
        path.append(str(step))
    steps = protocol.steps(state, most_resends)
    last = next(s for s, after in steps if wrong_step(state, s, after) or wrong(protocol, after))
    return [*path, str(last)]
