"""The real functions on a real database, in any order, against the model of the protocol.

The steps of the worker, the sweep, people and the gateway's reports are called as the app calls
them. Only the gateway is a counter, so that the test decides what each message meets.
"""

from __future__ import annotations

import uuid
from collections import Counter, deque
from datetime import datetime, timedelta, timezone
from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models import QuerySet
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from django_mobilon_sms.choices import ErrorCode, Outcome, Resolution
from django_mobilon_sms.exceptions import NeverLeft, OutcomeUnknown, Refused
from django_mobilon_sms.gateway import SendResult, StatusReport
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsEvent, SmsMessage, db_now
from django_mobilon_sms.signals import status_changed
from django_mobilon_sms.worker import (
    outcome_recording,
    proofs,
    sweep_leftovers,
)
from django_mobilon_sms.worker.candidates import Candidate, for_the_wire
from django_mobilon_sms.worker.claims import take
from django_mobilon_sms.worker.proofs import Proof
from django_mobilon_sms.worker.statuses import recording as status_recording
from django_mobilon_sms.worker.statuses.recording import StatusQuery
from django_mobilon_sms.worker.sweep import _apply
from tests.endurance import state_model
from tests.endurance.state_model import FATES, TAKEN, WORKERS, Protocol, Row, State, canonical
from tests.support.messages import by_guid, write

pytestmark = [
    pytest.mark.databases,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]

PROTOCOL = Protocol()
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)
REPORTS = {"sent": 1, "delivered": 2, "failed": 3, "": 9}
#: Errors that prove that the gateway took nothing of the request.
NOTHING_TAKEN = (
    NeverLeft("connection"),
    NeverLeft("lease_short"),
    Refused("http_refused", http_code=413),
    Refused("credentials", http_code=401),
)
#: Answers that prove nothing about a message: a broken reply, no object for it, or these.
SILENCES = ("broken", "none", (0, ""), (None, None), "contradicts")


@pytest.fixture(autouse=True)
def _a_code_for_each_word(settings):
    settings.MOBILON_SMS_SEND_REPLIES = {0: "accepted", 5: "failed"}
    settings.MOBILON_SMS_STATUS_REPLIES = {1: "sent", 2: "delivered", 3: "failed"}


class Outbox:
    """The database and the model, side by side: each method changes both."""

    def __init__(self, *, listens: bool, keeps_events: bool = False) -> None:
        self.setting = override_settings(MOBILON_SMS_EVENTS="30d" if keeps_events else None)
        self.setting.enable()
        self.keeps_events = keeps_events
        self.model = State(())
        self.messages = []
        self.unfit = set()
        self.batches = []
        self.claims = {}
        self.proofs = {}
        self.gateway = Counter()
        self.listens = listens
        self.signalled = {}
        if listens:  # because the app updates differently then
            status_changed.connect(self.hear)

    def clear(self) -> None:
        status_changed.disconnect(self.hear)
        QuerySet(SmsMessage).delete()  # because the app's own refuses messages that have not ended
        SmsBatch.objects.all().delete()
        SmsEvent.objects.all().delete()
        self.setting.disable()

    def hear(self, message, old, new, **kwargs):
        self.signalled[message.pk] = new

    def rows(self, indexes):
        return SmsMessage.objects.filter(pk__in=[self.messages[index].pk for index in indexes])

    def held(self, *, answered):
        """Return the workers that hold a batch, before or after the end of its request."""
        return [worker for worker in self.claims if (worker in self.proofs) == answered]

    def batch_of(self, worker):
        return self.model.batches[self.model.held_by(worker)]

    def check(self):
        """Assert that every row and every batch agrees with the model."""
        real = SmsMessage.objects.order_by("pk").values_list(
            "pk", "status", "resends", "resolution", "error_code", "expires_at"
        )
        assert [
            (status, resends, resolution, code == "lost", expires is None, self.gateway[index])
            for index, (_pk, status, resends, resolution, code, expires) in enumerate(real)
        ] == [
            (
                row.status,
                row.resends,
                row.resolution,
                row.why == "lost",
                row.expiry == "none",
                row.copies,
            )
            for row in self.model.rows
        ]
        fields = SmsBatch.objects.values_list("pk", "outcome", "applied_at")
        journal = {pk: (outcome, applied is not None) for pk, outcome, applied in fields}
        assert set(journal) == set(self.batches)
        for pk, batch in zip(self.batches, self.model.batches):
            outcome, applied = journal[pk]
            real = (outcome != "", outcome == "lost", applied)
            assert real == (batch.outcome != (), batch.outcome == ("lost",), batch.applied)
        if self.listens:
            for pk, status, *_rest in real_statuses():
                assert self.signalled.get(pk, "pending") == status or status == "sending"
        assert one_event_a_change() == (dict(real_statuses()) if self.keeps_events else {})

    # Callers and workers

    def write(self, *, expires: bool, fit: bool = True) -> None:
        [message] = write()
        values = {"send_at": LONG_AGO}  # so that a passed expiry still lies after it
        if expires:
            values["expires_at"] = db_now() + timedelta(hours=1)
        if not fit:
            values["number"] = "no number"
            self.unfit.add(len(self.messages))
        SmsMessage.objects.filter(pk=message.pk).change(**values)
        self.messages.append(message)
        row = Row(expiry="ahead" if expires else "none")
        self.model = self.model._replace(rows=(*self.model.rows, row))

    def claim(self, worker: str, indexes) -> None:
        rows = SmsMessage.objects.filter(pk__in=[self.messages[index].pk for index in indexes])
        found = map(Candidate._make, rows.order_by("pk").values_list(*Candidate._fields))
        GatewayState.objects.current()  # the row that a claim locks, as a run has it
        claims = take([list(found)])
        self.model = PROTOCOL.claim(self.model, worker, tuple(indexes))
        assert len(claims) == (self.model.held_by(worker) is not None)
        if not claims:
            return
        [claim] = claims
        self.claims[worker] = claim
        self.batches.append(claim.batch.pk)
        outgoing, invalid = for_the_wire(claim.messages)
        outcome_recording.fail_invalid(claim, invalid)
        for index in self.unfit & set(self.batch_of(worker).rows):
            self.model = PROTOCOL.unfit(self.model, worker, index)
        carried = [self.messages[index].guid for index in self.batch_of(worker).rows]
        assert [one.guid for one in outgoing] == carried
        if not outgoing:
            self.put_back(worker, Proof(Outcome.NEVER_LEFT, ErrorCode.INVALID))

    def put_back(self, worker: str, proof: Proof) -> None:
        self.proofs[worker] = proof
        self.model = PROTOCOL.put_back(self.model, worker)

    def post(self, worker: str, fates, silence) -> None:
        """Post the batch; each of its messages meets its fate."""
        indexes = self.batch_of(worker).rows
        took, said = zip(*fates[: len(indexes)])
        self.gateway.update(index for index, taken in zip(indexes, took) if taken)
        self.proofs[worker] = self.proof(indexes, said, silence)
        self.model = PROTOCOL.post(self.model, worker, took, said)

    def proof(self, indexes, said, silence) -> Proof:
        """Return the proof of a reply, or of an error, that says this."""
        if silence == "broken" and said == ("failed",):
            return proofs.of_error(Refused("rejected", http_code=400))
        if silence == "broken" and set(said) == {"nothing"}:
            return proofs.of_error(OutcomeUnknown("broken"))
        results = []
        for index, word in zip(indexes, said):
            guid = self.messages[index].guid
            good, bad = SendResult(guid, 0, uuid.uuid4().hex), SendResult(guid, 5, "")
            if word != "nothing":
                results.append({"accepted": good, "failed": bad}[word])
            elif silence == "contradicts":
                results += [good, bad]
            elif isinstance(silence, tuple):
                results.append(SendResult(guid, *silence))
        return proofs.of_reply(results)

    def record(self, worker: str) -> None:
        claim, proof = self.claims[worker], self.proofs[worker]
        outcome_recording.record(claim.batch, proof, by_guid(claim.messages))
        self.model = PROTOCOL.record(self.model, worker)
        self.drop(worker)

    def close(self, worker: str) -> None:
        claim, proof = self.claims[worker], self.proofs[worker]
        outcome_recording.close(claim.batch, proof, by_guid(claim.messages))
        self.model = PROTOCOL.close(self.model, worker)
        self.drop(worker)

    def kill(self, worker: str) -> None:
        self.model = PROTOCOL.kill(self.model, worker)
        self.drop(worker)

    def drop(self, worker: str) -> None:
        self.claims.pop(worker)
        self.proofs.pop(worker, None)

    # Time and the sweep

    def lease_over(self, place: int) -> None:
        SmsBatch.objects.filter(pk=self.batches[place]).update(lease_until=LONG_AGO)
        self.model = PROTOCOL.lease_over(self.model, place)

    def time_over(self, indexes) -> None:
        expiring = self.rows(indexes).filter(expires_at__isnull=False)
        expiring.change(expires_at=LONG_AGO + timedelta(hours=1))
        for index in indexes:
            self.model = PROTOCOL.time_over(self.model, index)

    def sweep(self) -> None:
        assert not sweep_leftovers().failed
        self.model = PROTOCOL.sweep(self.model)

    def lose(self, place: int) -> None:
        batch = SmsBatch.objects.get(pk=self.batches[place])
        outcome_recording.record(batch, Proof(Outcome.LOST, ErrorCode.LOST), {})
        self.model = PROTOCOL.lose(self.model, place)

    def apply(self, place: int) -> None:
        _apply(SmsBatch.objects.get(pk=self.batches[place]))
        self.model = PROTOCOL.apply(self.model, place)

    def expire(self, indexes) -> None:
        done = self.rows(indexes).expire()
        assert sum(done.values()) == self.decide(indexes, PROTOCOL.expire)

    # People and reports of the gateway

    def decide(self, indexes, verb, *args) -> int:
        """Change the model and return the number of rows changed."""
        before = self.model
        for index in indexes:
            self.model = verb(self.model, index, *args)
        return sum(old != new for old, new in zip(before.rows, self.model.rows))

    def cancel(self, indexes) -> None:
        assert self.rows(indexes).cancel() == self.decide(indexes, PROTOCOL.cancel)

    def resend(self, indexes) -> None:
        assert self.rows(indexes).resend(by=None) == self.decide(indexes, PROTOCOL.resend)

    def resolve(self, indexes, word: str) -> None:
        done = self.rows(indexes).resolve(Resolution(word), by=None)
        assert done == self.decide(indexes, PROTOCOL.resolve, word)

    def hold(self) -> None:
        call_command("hold_sms", no_input=True, stdout=StringIO())
        self.decide(range(len(self.messages)), PROTOCOL.hold)

    def report(self, index: int, word: str, names: str = "id", *, dated: bool = False) -> None:
        [asked] = self.rows([index]).values_list(*StatusQuery._fields)
        asked = StatusQuery(*asked)
        report = StatusReport(
            uuid.uuid4().hex if names == "another id" else asked.gateway_id,
            REPORTS[word],
            {"id and guid": asked.guid, "another guid": uuid.uuid4()}.get(names),
            LONG_AGO if dated else None,
        )
        status_recording.record([([asked], [report])], {asked.batch} - {None})
        if word and names in ("id", "id and guid"):
            self.model = PROTOCOL.report(self.model, index, word)


def one_event_a_change():
    """Return the last status of each message by its events, which follow one from another."""
    last = {}
    for event in SmsEvent.objects.order_by("id"):
        assert event.old_status == last.get(event.message_id, "")
        assert event.old_status != event.status
        last[event.message_id] = event.status
    return last


def real_statuses():
    return SmsMessage.objects.order_by("pk").values_list("pk", "status")


# Every kind of step, by the shortest path to it


def sort_of(row: Row):
    """Return what the rules distinguish rows by, except the time."""
    lost = row.status == "unknown" and row.why == "lost"
    return row.status, row.resends > 0, row.resolution != "", lost


def place_of(before: State, after: State) -> int | None:
    """Return the index of the batch that a step changed."""
    changes = enumerate(zip(before.batches, after.batches))
    return next((place for place, (old, new) in changes if old != new), None)


def kind(before: State, step, after: State):
    """Return a key that is equal for steps that the rules treat alike."""
    [row], place = before.rows, place_of(before, after)
    if place is None:
        return sort_of(row), row.expiry == "over", step.does
    batch = before.batches[place]
    if step.does in ("records", "applies the outcome", "loses the batch"):
        said, late = batch.answer or batch.outcome, batch.outcome == ("lost",)
        return sort_of(row), step.does, said, late, row.batch == place
    return row.status, step.does, step.what if step.does == "posts:" else ""


def ways(most_resends: int):
    """Return the states on the shortest path to each kind of step, by the kind."""
    start = canonical(State((Row(),)))
    way = {start: (start,)}
    found = {}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        for step, reached in PROTOCOL.steps(state, most_resends):
            if step.does == "cannot put on the wire":  # a property of the message, not an event
                continue
            found.setdefault(kind(state, step, reached), way[state])
            after = canonical(reached)
            if after not in way:
                way[after] = (*way[state], after)
                waiting.append(after)
    return found


def walk(outbox: Outbox, way, last, variant: int) -> None:
    """Follow the path and take a step of the last kind, comparing after each step."""
    outbox.write(expires=True)
    for target in (*way[1:], None):
        before = outbox.model
        step, after = next(
            (step, after)
            for step, after in PROTOCOL.steps(before, 1)
            if (kind(before, step, after) == last if target is None else canonical(after) == target)
        )
        perform(outbox, step, place_of(before, after), variant)
        assert outbox.model == after, step
        outbox.check()


def perform(outbox: Outbox, step, place: int | None, variant: int) -> None:
    """Perform the real equivalent of a step of the model."""
    who, does, what = step
    verb, _, word = does.partition(" ")
    word = word.removesuffix(" of")
    posts = {f"{'taken' if took else 'not taken'}/{said}": (took, said) for took, said in FATES}
    error = NOTHING_TAKEN[variant % len(NOTHING_TAKEN)]
    silence = SILENCES[variant % len(SILENCES)]
    {
        "claims": lambda: outbox.claim(who, [0]),
        "posts:": lambda: outbox.post(who, [posts[what]], silence),
        "hears": lambda: outbox.put_back(who, proofs.of_error(error)),
        "records": lambda: outbox.record(who),
        "closes": lambda: outbox.close(who),
        "is": lambda: outbox.kill(who) if word == "killed" else pass_time(outbox, place),
        "loses": lambda: outbox.lose(place),
        "applies": lambda: outbox.apply(place),
        "expires": lambda: outbox.expire([0]),
        "cancels": lambda: outbox.cancel([0]),
        "holds": outbox.hold,
        "resends": lambda: outbox.resend([0]),
        "says": lambda: outbox.resolve([0], word),
        "reports": lambda: outbox.report(0, word),
    }[verb]()


def pass_time(outbox: Outbox, place: int | None) -> None:
    if place is None:
        outbox.time_over([0])
    else:
        outbox.lease_over(place)


def try_what_changes_nothing(outbox: Outbox) -> None:
    """Try everything that the model says changes nothing now."""
    free = next((worker for worker in WORKERS if worker not in outbox.claims), None)
    attempts = [
        (PROTOCOL.cancel(outbox.model, 0), lambda: outbox.cancel([0])),
        (PROTOCOL.resend(outbox.model, 0), lambda: outbox.resend([0])),
        (PROTOCOL.resolve(outbox.model, 0, "sent"), lambda: outbox.resolve([0], "sent")),
        (PROTOCOL.hold(outbox.model, 0), outbox.hold),
        (PROTOCOL.expire(outbox.model, 0), lambda: outbox.expire([0])),
    ]
    if free:
        claimed = PROTOCOL.claim(outbox.model, free, (0,))
        attempts.append((claimed, lambda: outbox.claim(free, [0])))
    for place in range(len(outbox.batches)):
        applied, lost = PROTOCOL.apply(outbox.model, place), PROTOCOL.lose(outbox.model, place)
        attempts.append((applied, lambda place=place: outbox.apply(place)))
        if not outbox.model.batches[place].leased:  # the sweep only looks at these
            attempts.append((lost, lambda place=place: outbox.lose(place)))
    for word in REPORTS:
        reported = PROTOCOL.report(outbox.model, 0, word) if word else outbox.model
        attempts.append((reported, lambda word=word: outbox.report(0, word)))
    for names in ("another id", "another guid"):
        strange = outbox.model
        attempts.append((strange, lambda names=names: outbox.report(0, "failed", names)))
    for after, attempt in attempts:
        if after == outbox.model:
            attempt()
            outbox.check()


def test_each_kind_of_step_in_the_model_does_the_same_to_real_rows():
    tried = set()
    found = ways(most_resends=1)
    assert len(found) > 250
    for variant, (last, way) in enumerate(found.items()):
        outbox = Outbox(listens=variant % 2 == 0, keeps_events=variant % 4 < 2)
        try:
            walk(outbox, way, last, variant)
            [row] = outbox.model.rows
            where = (sort_of(row), row.expiry, PROTOCOL._under_way(outbox.model, row))
            if where not in tried:
                tried.add(where)
                try_what_changes_nothing(outbox)
        finally:
            outbox.clear()


# Paths that begin with several messages, or with one that is not valid


@pytest.fixture
def outbox():
    outbox = Outbox(listens=False)
    yield outbox
    outbox.clear()


def test_message_that_cannot_be_put_on_the_wire_stays_failed_whatever_the_others_meet(outbox):
    for silence in SILENCES:
        outbox.write(expires=True)
        outbox.write(expires=True, fit=False)
        good = len(outbox.messages) - 2
        outbox.claim("A", [good, good + 1])
        outbox.post("A", [(True, "nothing")], silence)
        outbox.record("A")
        outbox.check()
        assert [row.status for row in outbox.model.rows[good:]] == ["unknown", "failed"]


def test_resent_message_is_not_resent_again_before_its_batch_is_closed_or_its_lease_over(outbox):
    outbox.write(expires=True, fit=False)
    outbox.hold()
    outbox.resend([0])
    outbox.claim("A", [0])  # unknown at once, because it cannot be put on the wire
    outbox.check()
    outbox.resend([0])
    outbox.check()
    assert outbox.model.rows[0].resends == 1
    outbox.lease_over(0)
    outbox.resend([0])
    outbox.check()
    assert outbox.model.rows[0].resends == 2
    outbox.record("A")  # it never left, and a person decided meanwhile
    outbox.check()


def test_late_report_for_an_earlier_copy_does_not_move_a_message_that_was_accepted_anew(outbox):
    outbox.write(expires=False)
    accept_as_a_resend(outbox)
    [row] = outbox.rows([0]).values_list(*StatusQuery._fields)
    asked = StatusQuery(*row)
    outbox.report(0, "failed")
    accept_as_a_resend(outbox)
    for code in REPORTS.values():
        report = StatusReport(asked.gateway_id, code, None, None)
        status_recording.record([([asked], [report])], {asked.batch})
        outbox.check()


def accept_as_a_resend(outbox: Outbox) -> None:
    outbox.hold()
    outbox.resend([0])
    outbox.claim("A", [0])
    outbox.post("A", [(True, "accepted")], "none")
    outbox.record("A")
    assert outbox.model.rows[0].status == "accepted"


# Anything in any order

number = st.integers(0, 11)  # an index, modulo the number of candidates
some = st.sets(number, min_size=1, max_size=3)
MOST_ROWS = 8


def choose(which, candidates):
    candidates = list(candidates)
    return candidates[which % len(candidates)]


class AnyOrder(RuleBasedStateMachine):
    """Several messages, workers that die or are slow, people, time, and the gateway."""

    outbox: Outbox | None = None

    @initialize(listens=st.booleans(), keeps=st.booleans(), fit=st.lists(st.booleans(), max_size=2))
    def begin(self, listens, keeps, fit):
        self.outbox = Outbox(listens=listens, keeps_events=keeps)
        for one in (True, *fit):
            self.outbox.write(expires=True, fit=one)

    def teardown(self):
        if self.outbox is None:
            return
        try:
            SmsBatch.objects.update(lease_until=LONG_AGO)
            sweep_leftovers()  # as if every worker were dead
            assert not SmsMessage.objects.filter(status="sending").exists()
            assert not SmsBatch.objects.filter(applied_at__isnull=True).exists()
        finally:
            self.outbox.clear()

    @invariant()
    def database_and_model_agree_and_nothing_is_wrong(self):
        if self.outbox is not None:
            self.outbox.check()
            assert state_model.wrong(PROTOCOL, self.outbox.model) == ""

    def some_rows(self, numbers):
        """Return indexes of rows, mostly of rows that can still change."""
        rows = list(enumerate(self.outbox.model.rows))
        ended = [index for index, row in rows if state_model.ended(row)]
        alive = [index for index, row in rows if not state_model.ended(row)]
        return sorted({choose(which, [*alive, *alive, *ended]) for which in numbers})

    def places(self, wanted):
        return [place for place, batch in enumerate(self.outbox.model.batches) if wanted(batch)]

    @precondition(lambda self: len(self.outbox.messages) < MOST_ROWS)
    @rule(expires=st.booleans(), fit=st.sampled_from([True, True, False]))
    def write(self, expires, fit):
        self.outbox.write(expires=expires, fit=fit)

    @precondition(lambda self: len(self.outbox.claims) < len(WORKERS))
    @rule(numbers=some)
    def claim(self, numbers):
        worker = next(worker for worker in WORKERS if worker not in self.outbox.claims)
        self.outbox.claim(worker, self.some_rows(numbers))

    @precondition(lambda self: self.outbox.held(answered=False))
    @rule(which=number, error=st.sampled_from(NOTHING_TAKEN))
    def nothing_is_taken(self, which, error):
        worker = choose(which, self.outbox.held(answered=False))
        self.outbox.put_back(worker, proofs.of_error(error))

    @precondition(lambda self: self.outbox.held(answered=False))
    @rule(
        which=number,
        fates=st.lists(st.sampled_from(FATES), min_size=3, max_size=3),
        silence=st.sampled_from(SILENCES),
    )
    def post(self, which, fates, silence):
        worker = choose(which, self.outbox.held(answered=False))
        if PROTOCOL.may_post(self.outbox.model, worker):
            self.outbox.post(worker, fates, silence)

    @precondition(lambda self: self.outbox.held(answered=True))
    @rule(which=number)
    def record(self, which):
        self.outbox.record(choose(which, self.outbox.held(answered=True)))

    @precondition(lambda self: self.outbox.held(answered=True))
    @rule(which=number)
    def close(self, which):
        self.outbox.close(choose(which, self.outbox.held(answered=True)))

    @precondition(lambda self: self.outbox.claims)
    @rule(which=number)
    def kill(self, which):
        self.outbox.kill(choose(which, self.outbox.claims))

    @precondition(lambda self: self.places(lambda batch: batch.leased))
    @rule(which=number, swept=st.booleans())
    def lease_over(self, which, swept):
        self.outbox.lease_over(choose(which, self.places(lambda batch: batch.leased)))
        if swept:
            self.outbox.sweep()

    @rule(numbers=some)
    def time_over(self, numbers):
        self.outbox.time_over(self.some_rows(numbers))

    @rule()
    def sweep(self):
        self.outbox.sweep()

    @rule(numbers=some)
    def cancel(self, numbers):
        self.outbox.cancel(self.some_rows(numbers))

    @rule(numbers=some)
    def resend(self, numbers):
        self.outbox.resend(self.some_rows(numbers))

    @rule(numbers=some, word=st.sampled_from(["", *Resolution.values]))
    def resolve_or_hold(self, numbers, word):
        if word:
            self.outbox.resolve(self.some_rows(numbers), word)
        else:
            self.outbox.hold()

    @precondition(lambda self: any(row.status in TAKEN for row in self.outbox.model.rows))
    @rule(
        which=number,
        word=st.sampled_from(list(REPORTS)),
        names=st.sampled_from(["id", "id and guid", "another id", "another guid"]),
        dated=st.booleans(),
    )
    def report(self, which, word, names, dated):
        rows = enumerate(self.outbox.model.rows)
        index = choose(which, [index for index, row in rows if row.status in TAKEN])
        self.outbox.report(index, word, names, dated=dated)


def test_rows_follow_the_model_through_any_events_in_any_order():
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            # Shrinking a failure takes minutes on a database; the shortest paths are tested above.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
